//! The colours of what became of a node.

use crate::run::NodeStatus;

/// Colours that are read on a light page and on a dark one: each brings its own ground.
#[derive(Debug)]
pub(super) struct Palette {
    pub(super) status: NodeStatus,
    pub(super) fill: &'static str,
    pub(super) line: &'static str,
    pub(super) text: &'static str,
}

impl Palette {
    pub(super) const ALL: [Self; 7] = [
        Self::new(NodeStatus::Success, "#d1f0d8", "#2e8b57", "#0b3d1f"),
        Self::new(NodeStatus::Recovered, "#fdeebf", "#b07d00", "#4a3200"),
        Self::new(NodeStatus::Skipped, "#e2e6ea", "#7a8594", "#2b333c"),
        Self::new(NodeStatus::Disabled, "#f1f3f5", "#949ca6", "#4b535c"),
        Self::new(NodeStatus::Failed, "#fad4d4", "#d03b3b", "#5c0f0f"),
        Self::new(NodeStatus::Cancelled, "#ead8f6", "#8e55b5", "#3c1053"),
        Self::new(NodeStatus::NotRun, "#dae6fa", "#4c7dc4", "#12305e"),
    ];

    const fn new(
        status: NodeStatus,
        fill: &'static str,
        line: &'static str,
        text: &'static str,
    ) -> Self {
        Self {
            status,
            fill,
            line,
            text,
        }
    }

    pub(super) const fn of(status: NodeStatus) -> &'static Self {
        const ALL: &[Palette; 7] = &Palette::ALL;
        &ALL[status as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much light a colour sends out, from 0 to 1, by WCAG 2.
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            match value <= 0.04045 {
                true => value / 12.92,
                false => ((value + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn each_is_found_by_its_status() {
        for palette in &Palette::ALL {
            assert_eq!(Palette::of(palette.status).status, palette.status);
        }
    }

    /// WCAG 2 asks 7 of text for its highest level.
    #[test]
    fn texts_are_read() {
        for palette in &Palette::ALL {
            let found = contrast(palette.text, palette.fill);
            assert!(found >= 7.0, "{}: {found}", palette.status);
        }
    }
}
