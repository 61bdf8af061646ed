//! The few statistics that a table needs.

/// The middle value; of an even number the mean of the middle two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// The least and the greatest value.
pub(crate) fn range(values: &[f64]) -> (f64, f64) {
    let sorted = sorted(values);
    (sorted[0], sorted[sorted.len() - 1])
}

/// The geometric mean of positive values.
pub(crate) fn geometric_mean(values: &[f64]) -> f64 {
    let mut count = 0.0;
    let mut logarithms = 0.0;
    for value in values {
        count += 1.0;
        logarithms += value.ln();
    }
    f64::exp(logarithms / count)
}

/// Bounds between which the median lies with a confidence of 95 %, whatever the distribution; not
/// for fewer than six values.
///
/// The number of values below the true median is binomial with 1/2, so the k-th least and the
/// k-th greatest enclose it unless fewer than k values lie on one side.
pub(crate) fn median_bounds(values: &[f64]) -> Option<(f64, f64)> {
    let sorted = sorted(values);
    let count = i32::try_from(sorted.len()).ok()?;
    let mut ways = 1.0;
    let mut tail = 0.0;
    let mut k = 0;
    for below in 0..count {
        tail += ways * 0.5_f64.powi(count);
        if tail > 0.025 {
            break;
        }
        k += 1;
        ways *= f64::from(count - below) / f64::from(below + 1);
    }
    (k > 0).then(|| (sorted[k - 1], sorted[sorted.len() - k]))
}

/// `median_bounds`, as tables have them.
pub(crate) fn bounds_text(bounds: Option<(f64, f64)>) -> String {
    bounds.map_or_else(|| String::from("-"), |(low, high)| format!("{low:.2} to {high:.2}"))
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(range(&[4.0, 1.0, 2.0]), (1.0, 4.0));
        assert!((geometric_mean(&[0.5, 1.0, 4.0]) - 2.0_f64.cbrt()).abs() < 1e-12);
    }

    #[test]
    fn bounds_are_those_of_the_sign_test() {
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(median_bounds(&values[..5]), None);
        assert_eq!(median_bounds(&values[..6]), Some((1.0, 6.0)));
        assert_eq!(median_bounds(&values[..10]), Some((2.0, 9.0)));
        assert_eq!(median_bounds(&values), Some((6.0, 15.0)));
    }
}
