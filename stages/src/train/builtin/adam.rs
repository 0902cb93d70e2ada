//! AdamW, whose moments can be taken out and put back: a training that goes on must step as it would have.
//! The arithmetic is candle's own, operation by operation, since another order would round differently; a test compares both.
//!
//! Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019; the form is that of candle-nn 0.9.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

/// How fast the mean of the gradients and that of their squares forget, and what keeps a division from one by zero.
const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// Changes weights by their gradients.
pub(super) struct Adam {
    weights: Vec<Weight>,
    decay: f64,
    steps: i32,
}

/// A weight, and the means of its gradients and of their squares.
struct Weight {
    value: Var,
    moments: [Var; 2],
}

impl Adam {
    /// Has taken no step yet.
    pub(super) fn new(variables: Vec<Var>, decay: f64) -> Result<Self> {
        let zeros = |value: &Var| Var::zeros(value.shape(), value.dtype(), value.device());
        let weight = |value: Var| -> Result<Weight> { Ok(Weight { moments: [zeros(&value)?, zeros(&value)?], value }) };
        Ok(Self { weights: variables.into_iter().map(weight).collect::<Result<_>>()?, decay, steps: 0 })
    }

    /// Takes a step of this size.
    pub(super) fn step(&mut self, gradients: &GradStore, size: f64) -> Result<()> {
        self.steps += 1;
        let scales = BETAS.map(|beta| 1.0 / (1.0 - beta.powi(self.steps)));
        for Weight { value, moments } in &self.weights {
            let Some(gradient) = gradients.get(value) else { continue };
            let [mean, square] = moments;
            let mean_now = ((mean.as_tensor() * BETAS[0])? + (gradient * (1.0 - BETAS[0]))?)?;
            let square_now = ((square.as_tensor() * BETAS[1])? + (gradient.sqr()? * (1.0 - BETAS[1]))?)?;
            let fair = [(&mean_now * scales[0])?, (&square_now * scales[1])?];
            let shrunk = (value.as_tensor() * (1.0 - size * self.decay))?;
            let change = (&fair[0] / (fair[1].sqrt()? + EPSILON)?)?;
            mean.set(&mean_now)?;
            square.set(&square_now)?;
            value.set(&(shrunk - (change * size)?)?)?;
        }
        Ok(())
    }

    /// The moments of the weights, in their order, both of one after another.
    pub(super) fn moments(&self) -> impl Iterator<Item = &Tensor> {
        self.weights.iter().flat_map(|weight| weight.moments.iter().map(Var::as_tensor))
    }

    /// Goes on after so many steps, with these moments.
    pub(super) fn go_on(&mut self, moments: &[Tensor], steps: u64) -> Result<()> {
        for (own, kept) in self.weights.iter().flat_map(|weight| &weight.moments).zip(moments) {
            own.set(kept)?;
        }
        self.steps = i32::try_from(steps).unwrap_or(i32::MAX);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use candle_nn::{AdamW, Optimizer, ParamsAdamW};

    const START: [f32; 4] = [0.5, -1.25, 3.0, 1e-3];

    fn variable() -> Var {
        Var::from_slice(&START, 4, &Device::Cpu).expect("four numbers are a tensor")
    }

    /// A loss whose gradients are neither equal nor round.
    fn gradients(value: &Var, step: usize) -> GradStore {
        let pull = Tensor::new(&[0.3f32, -0.7, 1.9, 0.01], &Device::Cpu).expect("four numbers are a tensor");
        let gone = ((value.as_tensor() - &pull).expect("same shape") * (1.0 + step as f64 / 3.0)).expect("a number");
        gone.sqr().and_then(|squares| squares.sum_all()).and_then(|loss| loss.backward()).expect("it has gradients")
    }

    fn bits(value: &Var) -> Vec<u32> {
        let numbers: Vec<f32> = value.as_tensor().to_vec1().expect("it has one axis");
        numbers.into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn each_step_is_candles_to_the_last_bit() {
        let (ours, theirs) = (variable(), variable());
        let mut adam = Adam::new(vec![ours.clone()], 0.01).expect("it has room for its moments");
        let parameters = ParamsAdamW { weight_decay: 0.01, ..ParamsAdamW::default() };
        let mut candle = AdamW::new(vec![theirs.clone()], parameters).expect("it has room for its moments");
        for step in 0..50 {
            let size = 0.01 / (1.0 + step as f64);
            adam.step(&gradients(&ours, step), size).expect("a step");
            candle.set_learning_rate(size);
            candle.step(&gradients(&theirs, step)).expect("a step");
            assert_eq!(bits(&ours), bits(&theirs), "step {step}");
        }
        assert_ne!(bits(&ours), START.map(f32::to_bits));
    }

    #[test]
    fn who_goes_on_with_the_moments_steps_as_before() {
        let value = variable();
        let mut adam = Adam::new(vec![value.clone()], 0.01).expect("it has room for its moments");
        (0..7).for_each(|step| adam.step(&gradients(&value, step), 0.01).expect("a step"));
        let (middle, moments) = (bits(&value), adam.moments().map(|m| m.copy().expect("a copy")).collect::<Vec<_>>());
        (7..9).for_each(|step| adam.step(&gradients(&value, step), 0.01).expect("a step"));
        let numbers: Vec<f32> = middle.into_iter().map(f32::from_bits).collect();
        let again = Var::from_slice(&numbers, 4, &Device::Cpu).expect("four numbers are a tensor");
        let mut later = Adam::new(vec![again.clone()], 0.01).expect("it has room for its moments");
        later.go_on(&moments, 7).expect("the moments fit");
        (7..9).for_each(|step| later.step(&gradients(&again, step), 0.01).expect("a step"));
        assert_eq!(bits(&again), bits(&value));
        assert_eq!(again.dtype(), DType::F32);
    }
}
