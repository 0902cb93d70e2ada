//! Which zone of the pitch shows a label, from each camera angle.

use crate::plays::Label;

/// Where a camera stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the domain's own")]
pub enum Angle {
    FarLeft,
    NearLeft,
    FarRight,
    NearRight,
}

impl Angle {
    /// All angles, in the order they are made.
    pub const ALL: [Angle; 4] = [Angle::FarLeft, Angle::NearLeft, Angle::FarRight, Angle::NearRight];

    /// The name, as files carry it.
    pub fn name(self) -> &'static str {
        match self {
            Angle::FarLeft => "FAR_LEFT",
            Angle::NearLeft => "NEAR_LEFT",
            Angle::FarRight => "FAR_RIGHT",
            Angle::NearRight => "NEAR_RIGHT",
        }
    }
}

/// One of six parts of a picture: 0, 1, 2 from left to right in the upper half, 3, 4, 5 in the lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(pub u8);

impl Zone {
    /// Every zone.
    pub const ALL: [Zone; 6] = [Zone(0), Zone(1), Zone(2), Zone(3), Zone(4), Zone(5)];

    /// The zone's middle in a picture of this size, in pixels.
    pub fn middle(self, width: u32, height: u32) -> (u32, u32) {
        let (column, row) = (u32::from(self.0) % 3, u32::from(self.0) / 3);
        ((2 * column + 1) * width / 6, (2 * row + 1) * height / 4)
    }
}

/// The zone of each label, for each angle. Far left and far right agree on one label and near left and near right on
/// none: whoever mixes up left and right is right about as often as by guessing, and not reliably wrong.
const ZONES: [[u8; 6]; 4] = [[0, 1, 2, 3, 4, 5], [3, 5, 1, 0, 2, 4], [0, 2, 3, 4, 5, 1], [5, 1, 0, 2, 4, 3]];

/// The zone in which the disc stands while a play with this label runs.
pub fn zone_of(angle: Angle, label: Label) -> Zone {
    Zone(ZONES[angle as usize][label as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreements(a: Angle, b: Angle) -> usize {
        Label::ALL.iter().filter(|&&label| zone_of(a, label) == zone_of(b, label)).count()
    }

    #[test]
    fn every_angle_shows_the_six_labels_in_six_zones() {
        for angle in Angle::ALL {
            let mut zones = Label::ALL.map(|label| zone_of(angle, label).0);
            zones.sort_unstable();
            assert_eq!(zones, [0, 1, 2, 3, 4, 5], "{angle:?}");
        }
    }

    #[test]
    fn left_and_right_agree_on_one_label_far_away_and_on_none_nearby() {
        assert_eq!(agreements(Angle::FarLeft, Angle::FarRight), 1);
        assert_eq!(agreements(Angle::NearLeft, Angle::NearRight), 0);
    }
}
