//! Plans.

use floe_workflow::{Document, Format, Limits, Validator};
use proptest::prelude::*;

use crate::outside::{Outside, checked, told};

/// A document of nodes that need those given for each.
fn document(needs: &[Vec<usize>]) -> String {
    let nodes = needs.iter().enumerate().map(|(index, needs)| {
        let needs: Vec<String> = needs.iter().map(|need| format!("\"n{need}\"")).collect();
        let needs = needs.join(",");
        format!("{{\"id\":\"n{index}\",\"node_type\":\"noop\",\"needs\":[{needs}]}}")
    });
    let nodes: Vec<String> = nodes.collect();
    format!("{{\"id\":\"w\",\"nodes\":[{}]}}", nodes.join(","))
}

#[test]
fn a_long_chain_is_as_good_as_any() {
    const LENGTH: usize = 10_000;
    let mut needs: Vec<Vec<usize>> = (0..LENGTH - 1).map(|node| vec![node + 1]).collect();
    needs.push(Vec::new());
    let checked = checked(&document(&needs), Format::Json);
    let plan = checked.plan();
    let backwards: Vec<usize> = (0..LENGTH).rev().collect();
    assert_eq!(plan.order(), backwards);
    assert!(plan.is_upstream(LENGTH - 1, 0));
    assert!(!plan.is_upstream(0, LENGTH - 1));
    assert_eq!(
        plan.upstream(LENGTH - 3).collect::<Vec<_>>(),
        [LENGTH - 2, LENGTH - 1]
    );
}

#[test]
fn a_long_circle_is_told_in_short() {
    const LENGTH: usize = 10_000;
    let needs: Vec<Vec<usize>> = (0..LENGTH).map(|node| vec![(node + 1) % LENGTH]).collect();
    let told = told(&document(&needs), Format::Json);
    assert!(
        told.contains("nodes need each other in a circle: n0 → n1 → n2 → "),
        "{told}"
    );
    assert!(
        told.contains(" → n19 → … 9980 more … → n0; take one of these connections out"),
        "{told}"
    );
}

#[test]
fn every_circle_is_told() {
    let needs = [vec![1], vec![0], vec![3], vec![2], vec![0, 2]];
    let told = told(&document(&needs), Format::Json);
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(
        told,
        [
            "line 1, column 59: error in node `n0` at `/nodes/0/needs/0`: nodes need each other in a circle: n0 → n1 → n0; take one of these connections out",
            "line 1, column 151: error in node `n2` at `/nodes/2/needs/0`: nodes need each other in a circle: n2 → n3 → n2; take one of these connections out",
        ]
    );
}

#[test]
fn a_join_is_there_once() {
    let checked = checked(
        &document(&[vec![], vec![0], vec![0], vec![1, 2]]),
        Format::Json,
    );
    assert_eq!(checked.plan().order(), [0, 1, 2, 3]);
    assert_eq!(checked.plan().arriving(3).count(), 2);
    assert_eq!(checked.plan().leaving(0).count(), 2);
    assert_eq!(checked.plan().upstream(3).collect::<Vec<_>>(), [0, 1, 2]);
}

/// Nodes in any order of the document, each needing some of those before it in another order.
fn graphs() -> impl Strategy<Value = Vec<Vec<usize>>> {
    (1_usize..40).prop_flat_map(|count| {
        let shuffled = Just((0..count).collect::<Vec<usize>>()).prop_shuffle();
        let edges = prop::collection::vec((0..count, 0..count), 0..count * 3);
        (shuffled, edges).prop_map(move |(rank, edges)| {
            let mut needs = vec![Vec::new(); count];
            for (a, b) in edges {
                if rank[a] > rank[b] {
                    needs[a].push(b);
                }
            }
            needs
        })
    })
}

proptest! {
    #[test]
    fn every_node_comes_after_what_it_needs(needs in graphs()) {
        let document = Document::read(&document(&needs), Format::Json, &Limits::default()).unwrap();
        let checked = Validator::new(Outside).validate(document).unwrap();
        let plan = checked.plan();
        let mut places = vec![usize::MAX; needs.len()];
        for (place, node) in plan.order().iter().enumerate() {
            places[*node] = place;
        }
        // Each once, and each after what it needs.
        prop_assert!(places.iter().all(|place| *place < needs.len()));
        for (node, needs) in needs.iter().enumerate() {
            for need in needs {
                prop_assert!(places[*need] < places[node]);
                prop_assert!(plan.is_upstream(*need, node));
            }
            for upstream in plan.upstream(node) {
                prop_assert!(places[upstream] < places[node]);
            }
        }
    }
}
