use proptest::prelude::*;

use super::*;

/// A graph of the letters of `nodes`, with edges such as `ab`: `a` needs `b`.
fn graph(nodes: &str, edges: &str) -> Graph<char> {
    let mut graph = Graph::from_iter(nodes.chars());
    for edge in edges.split_whitespace() {
        let mut ends = edge.chars();
        let (node, dependency) = (ends.next().unwrap(), ends.next().unwrap());
        graph.need(&node, &dependency).unwrap();
    }
    graph
}

#[track_caller]
fn check_waves(nodes: &str, edges: &str, expected: &str) {
    let shown = match graph(nodes, edges).waves() {
        Ok(waves) => {
            let waves = waves.into_iter().map(String::from_iter);
            waves.collect::<Vec<_>>().join(" ")
        }
        Err(cycle) => cycle.to_string(),
    };
    assert_eq!(shown, expected);
}

#[test]
fn waves_are_as_early_as_may_be_and_in_the_order_of_insertion() {
    check_waves("", "", "");
    check_waves("cab", "", "cab");
    check_waves("abc", "ab bc", "c b a");
    check_waves("dcba", "ab ac bd cd", "d cb a");
    check_waves("abcd", "ab cd", "bd ac");
    // Said twice, it is there once.
    check_waves("ab", "ab ab ab", "b a");
    // `x` needs nothing, and waits for nobody.
    check_waves("axbc", "ab bc", "xc b a");
}

#[test]
fn a_cycle_starts_at_its_first_node_and_is_short() {
    check_waves("a", "aa", "a → a");
    check_waves("abc", "ab bc ca", "a → b → c → a");
    check_waves("cba", "ab bc ca", "c → a → b → c");
    // The long way round is not told.
    check_waves("abcde", "ab bc cd de ea ca", "a → b → c → a");
    // What leads into a cycle, or out of it, is not part of it.
    check_waves("abcde", "ab bc cb cd", "b → c → b");
    check_waves("dabc", "da ab ba bc", "a → b → a");
    // With two cycles, it is the one whose node was inserted first.
    check_waves("abcd", "cd dc ab ba", "a → b → a");
    assert_eq!(
        graph("ab", "ab ba").order().unwrap_err().path(),
        ['a', 'b', 'a']
    );
}

#[test]
fn an_edge_to_an_unknown_node_is_refused() {
    let mut graph = graph("a", "");
    for (node, dependency) in [('a', 'z'), ('z', 'a')] {
        let error = graph.need(&node, &dependency).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`z` is not in the graph; insert it first"
        );
        assert_eq!(error.node(), &'z');
    }
    assert_eq!(graph.waves().unwrap(), [['a']]);
    assert!(graph.dependents(&'z').is_empty());
    assert_eq!(graph.dependencies(&'z').count(), 0);
}

#[track_caller]
fn check_dependents(edges: &str, node: char, expected: &str) {
    let dependents = graph("abcdef", edges).dependents(&node);
    assert_eq!(String::from_iter(dependents), expected);
}

#[test]
fn dependents_are_found_through_others() {
    check_dependents("ab bc dc", 'c', "abd");
    check_dependents("ab bc dc", 'b', "a");
    check_dependents("ab bc dc", 'a', "");
    // In a cycle a node needs itself.
    check_dependents("ab ba", 'a', "ab");
    check_dependents("ee", 'e', "e");
}

/// Each letter's priority is that of its place in `priorities`, the first being the highest.
#[track_caller]
fn check_dismantling(nodes: &str, edges: &str, priorities: &str, expected: &str) {
    let order = graph(nodes, edges).dismantling(|node| {
        let place = priorities.chars().rev().position(|other| other == *node);
        place.map_or(0, |place| place as u64 + 1)
    });
    assert_eq!(String::from_iter(order), expected);
}

#[test]
fn what_needs_comes_down_before_what_is_needed() {
    check_dismantling("abc", "", "bca", "bca");
    check_dismantling("abc", "ab bc", "cba", "abc");
    // Equal ones: the last inserted first.
    check_dismantling("abc", "", "", "cba");
    // `d` has the highest priority and yet waits for `a`.
    check_dismantling("abcd", "ad", "dcba", "cbad");
}

#[test]
fn a_cycle_comes_down_too_and_before_what_it_needs() {
    check_dismantling("a", "aa", "a", "a");
    check_dismantling("abc", "ab bc ca", "bca", "bca");
    // `c` has the highest priority, and is needed by a cycle that is not its own.
    check_dismantling("abc", "ab ba ac bc", "cba", "bac");
    // `c` needs a cycle and comes before it.
    check_dismantling("abc", "ab ba ca", "abc", "cab");
}

#[test]
fn a_long_chain_overflows_nothing() {
    let length = 100_000;
    let mut graph = Graph::from_iter(0..length);
    for node in 1..length {
        graph.need(&(node - 1), &node).unwrap();
    }
    let order = graph.order().unwrap();
    assert!(order.iter().copied().eq((0..length).rev()));
    let down = graph.dismantling(|node| *node);
    assert!(down.iter().copied().eq(0..length));
    assert_eq!(graph.dependents(&(length - 1)).len() as u64, length - 1);
    graph.need(&(length - 1), &0).unwrap();
    let cycle = graph.waves().unwrap_err();
    assert_eq!(cycle.path().len() as u64, length + 1);
    assert_eq!(graph.dismantling(|_| 0).len() as u64, length);
}

fn edges() -> impl Strategy<Value = (usize, Vec<(usize, usize)>)> {
    (1..12usize).prop_flat_map(|count| {
        let edge = (0..count, 0..count);
        (Just(count), prop::collection::vec(edge, 0..24))
    })
}

proptest! {
    #[test]
    fn the_answers_hold_for_any_graph((count, edges) in edges()) {
        let mut graph = Graph::from_iter(0..count);
        for (node, dependency) in &edges {
            graph.need(node, dependency).unwrap();
        }
        match graph.waves() {
            Ok(waves) => {
                let wave_of = |node: usize| waves.iter().position(|wave| wave.contains(&node)).unwrap();
                prop_assert_eq!(waves.iter().map(Vec::len).sum::<usize>(), count);
                for node in 0..count {
                    // The earliest wave that its needs allow.
                    let needs = edges.iter().filter(|(from, _)| *from == node);
                    let earliest = needs.map(|(_, to)| wave_of(*to) + 1).max();
                    prop_assert_eq!(wave_of(node), earliest.unwrap_or(0));
                }
                prop_assert!(waves.iter().all(|wave| wave.is_sorted()));
                prop_assert_eq!(graph.order().unwrap(), waves.concat());
            }
            Err(cycle) => {
                let path = cycle.path();
                prop_assert_eq!(path.first(), path.last());
                for edge in path.windows(2) {
                    prop_assert!(edges.contains(&(edge[0], edge[1])), "{:?}", path);
                }
                let simple: HashSet<_> = path[1..].iter().collect();
                prop_assert_eq!(simple.len(), path.len() - 1);
                prop_assert_eq!(path.iter().min(), path.first());
            }
        }
        let order = graph.dismantling(|node| (*node as u64 * 7) % 5);
        prop_assert_eq!(order.iter().collect::<HashSet<_>>().len(), count);
        prop_assert_eq!(order.len(), count);
        for (from, to) in edges {
            let in_cycle = graph.dependents(&from).contains(&to);
            let place = |node| order.iter().position(|other| *other == node);
            prop_assert!(in_cycle || place(from) < place(to), "{from} needs {to}: {order:?}");
        }
    }
}
