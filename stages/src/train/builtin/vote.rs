//! Turns the log-probabilities of a play's clips into one answer for the play.
//! Knows numbers only; knows nothing of labels, networks or files.

/// Adds the clips' log-probabilities, label by label: the angles of one play are taken as independent witnesses.
///
/// `clips`: one row for each clip, each `labels` long. Without a clip the result is all zeros.
pub(super) fn add_up<'a>(labels: usize, clips: impl IntoIterator<Item = &'a [f32]>) -> Vec<f64> {
    let mut totals = vec![0.0; labels];
    for clip in clips {
        for (total, log_probability) in totals.iter_mut().zip(clip) {
            *total += f64::from(*log_probability);
        }
    }
    totals
}

/// The index of the largest number; of equal ones the first, so that ties have one answer everywhere.
pub(super) fn winner<T: PartialOrd>(scores: &[T]) -> usize {
    (1..scores.len()).fold(0, |best, index| if scores[index] > scores[best] { index } else { best })
}

/// Turns summed log-probabilities into probabilities that add up to one.
pub(super) fn normalised(totals: &[f64]) -> Vec<f64> {
    let largest = totals.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = totals.iter().map(|total| (total - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sure_clip_outvotes_two_that_lean_the_other_way() {
        // Probabilities 0.6, 0.6 and 0.01 for the first label: 0.0036 against 0.4 * 0.4 * 0.99 = 0.1584.
        let clips: [[f32; 2]; 3] =
            [[0.6_f32.ln(), 0.4_f32.ln()], [0.6_f32.ln(), 0.4_f32.ln()], [0.01_f32.ln(), 0.99_f32.ln()]];
        let totals = add_up(2, clips.iter().map(|clip| clip.as_slice()));
        assert_eq!(winner(&totals), 1);
        let probabilities = normalised(&totals);
        assert!((probabilities[0] - 0.0036 / 0.162).abs() < 1e-6, "{probabilities:?}");
        assert!((probabilities[1] - 0.1584 / 0.162).abs() < 1e-6, "{probabilities:?}");
    }

    #[test]
    fn a_tie_goes_to_the_first_label() {
        assert_eq!(winner(&[1.0, 3.0, 3.0]), 1);
    }
}
