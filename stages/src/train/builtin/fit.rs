//! Turns a dataset and settings into a trained model, epoch by epoch.
//! Knows the loop of learning; knows nothing of files, clocks or where the data came from.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::adam::Adam;
use super::batch::{Batch, Pick, Shift};
use super::confusion::Confusion;
use super::data::{Dataset, Split};
use super::metrics::{EpochMetrics, Score};
use super::model::{self, Model};
use super::network::{Network, Sizes};
use super::reached::Reached;
use super::seed::{Purpose, Stream};
use super::settings::{Settings, SettingsError};

/// Clips in one piece of a batch. Pieces are computed side by side and added in order, so this number decides the last
/// bits of the weights and the number of threads does not.
const PIECE: usize = 8;
/// How far augmentation moves a clip at most, in pixels each way.
const LONGEST_SHIFT: i64 = 2;

/// Why training ended without a model.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// A setting is out of range.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The loss is no longer a number.
    #[error(
        "the loss became {loss} in epoch {epoch}: lower `learning_rate`, or check how the frames are \
         normalised"
    )]
    Diverged {
        /// Counted from 1.
        epoch: u32,
        /// The loss, an infinity or NaN.
        loss: f64,
    },
    /// The system gave no threads.
    #[error("start the training threads: {0}")]
    Threads(#[from] ThreadPoolBuildError),
    /// The arithmetic failed.
    #[error("compute a training step: {0}")]
    Compute(#[from] candle_core::Error),
}

/// What training made.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The model after the last epoch.
    pub model: Model,
    /// One entry for each epoch that ended.
    pub metrics: Vec<EpochMetrics>,
    /// The validation plays of the last epoch.
    pub confusion: Confusion,
    /// Whether `on_epoch` ended the training before the last epoch.
    pub stopped: bool,
}

impl Fitted {
    /// The numbers of the last epoch.
    pub fn last(&self) -> &EpochMetrics {
        self.metrics.last().expect("settings ask for at least one epoch, and `fit` adds its numbers before it may end")
    }
}

/// Trains on the training split and measures on the validation split after every epoch.
///
/// `threads` changes how long it takes and nothing else. `on_epoch` hears each epoch's numbers and may break off: then
/// the model as it is at that moment is returned.
///
/// # Errors
/// [`FitError::Settings`] before anything is computed; [`FitError::Diverged`] when the loss is not finite.
pub fn fit(
    dataset: &Dataset,
    settings: &Settings,
    threads: NonZeroUsize,
    on_epoch: &mut dyn FnMut(&EpochMetrics) -> ControlFlow<()>,
) -> Result<Fitted, FitError> {
    go_on(dataset, settings, threads, None, &mut |learned: &Learned<'_>| on_epoch(learned.numbers()))
}

/// As [`fit`], after what an earlier training of the same data and settings had learned, as [`Learned::to_bytes`] wrote it. It
/// makes what that one would have made. Bytes that are damaged, or of another training, are taken for none.
///
/// # Errors
/// As [`fit`].
pub fn go_on(
    dataset: &Dataset,
    settings: &Settings,
    threads: NonZeroUsize,
    reached: Option<&[u8]>,
    on_epoch: &mut dyn FnMut(&Learned<'_>) -> ControlFlow<()>,
) -> Result<Fitted, FitError> {
    settings.check()?;
    let mut trainer = Trainer::new(dataset, settings, threads)?;
    let reached = reached.and_then(Reached::from_bytes).filter(|reached| trainer.fits(reached));
    let mut metrics = reached.map_or(Ok(Vec::new()), |reached| trainer.go_on(reached))?;
    // Of the last epoch nothing is kept that its weights do not tell.
    let mut confusion = if metrics.is_empty() { Confusion::new(dataset.labels()) } else { trainer.measure()?.plays };
    let mut stopped = false;
    let done = u32::try_from(metrics.len()).unwrap_or(u32::MAX);
    for epoch in done + 1..=settings.epochs.get() {
        let (numbers, plays) = trainer.run_epoch(epoch)?;
        metrics.push(numbers);
        confusion = plays;
        stopped = on_epoch(&Learned { trainer: &trainer, metrics: &metrics }).is_break();
        if stopped {
            break;
        }
    }
    Ok(Fitted { model: trainer.into_model(), metrics, confusion, stopped })
}

/// What a training has learned when an epoch ends.
pub struct Learned<'t> {
    trainer: &'t Trainer<'t>,
    metrics: &'t [EpochMetrics],
}

impl Learned<'_> {
    /// The numbers of that epoch.
    pub fn numbers(&self) -> &EpochMetrics {
        self.metrics.last().expect("it is made when an epoch has ended")
    }

    /// What [`go_on`] goes on from.
    ///
    /// # Errors
    /// When a tensor cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FitError> {
        Ok(self.trainer.reached(self.metrics).to_bytes()?)
    }
}

/// Everything that changes from step to step.
struct Trainer<'a> {
    dataset: &'a Dataset,
    settings: &'a Settings,
    pool: ThreadPool,
    network: Network,
    variables: Vec<Var>,
    optimiser: Adam,
    order: Stream,
    shifts: Stream,
    rows: Vec<usize>,
    step: u64,
}

impl<'a> Trainer<'a> {
    fn new(dataset: &'a Dataset, settings: &'a Settings, threads: NonZeroUsize) -> Result<Self, FitError> {
        let sizes = Sizes { shape: dataset.shape(), labels: dataset.labels().len(), views: dataset.views().len() };
        let network = Network::drawn(sizes, &mut Stream::new(settings.seed, Purpose::Weights))?;
        let variables = network.variables();
        Ok(Self {
            dataset,
            settings,
            pool: ThreadPoolBuilder::new().num_threads(threads.get()).build()?,
            optimiser: Adam::new(variables.clone(), settings.weight_decay)?,
            network,
            variables,
            order: Stream::new(settings.seed, Purpose::Order),
            shifts: Stream::new(settings.seed, Purpose::Shifts),
            rows: dataset.rows(Split::Train),
            step: 0,
        })
    }

    /// The weights and their moments, by names.
    fn tensors(&self) -> BTreeMap<String, Tensor> {
        let weights = self.variables.iter().enumerate();
        let weights = weights.map(|(place, weight)| (format!("{place:03}.weight"), weight.as_tensor().clone()));
        let moments = self.optimiser.moments().enumerate();
        let moments = moments.map(|(place, moment)| (format!("{place:03}.moment"), moment.clone()));
        weights.chain(moments).collect()
    }

    fn reached(&self, metrics: &[EpochMetrics]) -> Reached {
        Reached { tensors: self.tensors(), metrics: metrics.to_vec() }
    }

    /// Whether what was reached is of a training like this one.
    fn fits(&self, reached: &Reached) -> bool {
        let own = self.tensors();
        let is_like = |(name, tensor): (&String, &Tensor)| own.get(name).is_some_and(|own| own.dims() == tensor.dims());
        let epochs = 1..=self.settings.epochs.get();
        let are_first = reached.metrics.iter().map(|metrics| metrics.epoch).eq(epochs.take(reached.metrics.len()));
        own.len() == reached.tensors.len() && reached.tensors.iter().all(is_like) && are_first
    }

    /// Stands where another stood, and returns the numbers of the epochs until then.
    fn go_on(&mut self, reached: Reached) -> Result<Vec<EpochMetrics>, FitError> {
        let Reached { tensors, metrics } = reached;
        let (weights, moments): (Vec<_>, Vec<_>) = tensors.into_iter().partition(|(name, _)| name.ends_with(".weight"));
        for (own, (_, weight)) in self.variables.iter().zip(&weights) {
            own.set(weight)?;
        }
        // What was drawn is drawn again.
        for _ in &metrics {
            let mut rows = self.rows.clone();
            self.order.shuffle(&mut rows);
            for row in &rows {
                let _ = self.draw(*row);
            }
            self.step += rows.chunks(self.batch()).count() as u64;
        }
        let moments: Vec<Tensor> = moments.into_iter().map(|(_, moment)| moment).collect();
        self.optimiser.go_on(&moments, self.step)?;
        Ok(metrics)
    }

    /// Learns once from everything, then measures; returns the epoch's numbers and the table of validation plays.
    fn run_epoch(&mut self, epoch: u32) -> Result<(EpochMetrics, Confusion), FitError> {
        let learning_rate = self.learning_rate();
        let train_loss = self.learn()?;
        let score = self.measure()?;
        // The last step may spoil the weights after the last training loss was taken, so both losses are looked at.
        check_finite(epoch, [train_loss, score.loss])?;
        let numbers = EpochMetrics {
            epoch,
            learning_rate,
            train_loss,
            validation_loss: score.loss,
            validation_accuracy: score.clip_accuracy,
            validation_group_accuracy: score.plays.accuracy(),
        };
        Ok((numbers, score.plays))
    }

    /// Learns from every training clip once; returns the mean loss.
    fn learn(&mut self) -> Result<f64, FitError> {
        let mut rows = self.rows.clone();
        self.order.shuffle(&mut rows);
        let mut loss = 0.0;
        for batch in rows.chunks(self.batch()) {
            loss += self.take_step(batch)?;
        }
        Ok(loss / rows.len() as f64)
    }

    fn batch(&self) -> usize {
        usize::try_from(self.settings.batch.get()).unwrap_or(usize::MAX)
    }

    /// Changes the weights by one step; returns the sum of the clips' losses before it.
    fn take_step(&mut self, rows: &[usize]) -> Result<f64, FitError> {
        // Shifts are drawn here, one clip after another, because the pieces below have no order among themselves.
        let picks: Vec<(Pick<'_>, u32)> = rows.iter().map(|row| self.draw(*row)).collect();
        let learn = |piece: &[(Pick<'_>, u32)]| self.learn_piece(piece, rows.len());
        let pieces: Vec<(f64, GradStore)> =
            self.pool.install(|| picks.par_chunks(PIECE).map(learn).collect::<Result<_, candle_core::Error>>())?;
        let (loss, gradients) = add_up(pieces, &self.variables)?;
        let learning_rate = self.learning_rate();
        self.optimiser.step(&gradients, learning_rate)?;
        self.step += 1;
        Ok(loss)
    }

    fn draw(&mut self, row: usize) -> (Pick<'a>, u32) {
        let mut one = || match self.settings.augment {
            true => self.shifts.below(2 * LONGEST_SHIFT as usize + 1) as i64 - LONGEST_SHIFT,
            false => 0,
        };
        let shift = Shift { down: one(), right: one() };
        let indices = self.dataset.indices(row);
        (Pick { frames: self.dataset.clip(row), view: indices.view, shift }, indices.label)
    }

    /// The sum of a piece's losses, and the gradients of that sum divided by the clips in the whole batch.
    fn learn_piece(&self, piece: &[(Pick<'_>, u32)], batch: usize) -> candle_core::Result<(f64, GradStore)> {
        let (picks, labels): (Vec<Pick<'_>>, Vec<u32>) = piece.iter().copied().unzip();
        let labels = Tensor::from_vec(labels, (piece.len(), 1), &Device::Cpu)?;
        let answers = self.network.forward(&Batch::new(&picks, self.dataset.shape())?)?;
        let loss = answers.gather(&labels, 1)?.sum_all()?.neg()?;
        let gradients = (&loss / batch as f64)?.backward()?;
        Ok((f64::from(loss.to_scalar::<f32>()?), gradients))
    }

    /// Half a cosine from the settings' step size towards zero.
    fn learning_rate(&self) -> f64 {
        let steps_in_epoch = self.rows.len().div_ceil(self.batch()) as f64;
        let share = self.step as f64 / (steps_in_epoch * f64::from(self.settings.epochs.get()));
        self.settings.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
    }

    fn measure(&self) -> Result<Score, FitError> {
        let rows = self.dataset.rows(Split::Validation);
        let answer = |piece: &[usize]| {
            let pick = |row: &usize| Pick {
                frames: self.dataset.clip(*row),
                view: self.dataset.indices(*row).view,
                shift: Shift::default(),
            };
            let picks: Vec<Pick<'_>> = piece.iter().map(pick).collect();
            model::answer(&self.network, &picks, self.dataset.shape())
        };
        let pieces: Vec<Vec<Vec<f32>>> =
            self.pool.install(|| rows.par_chunks(PIECE).map(answer).collect::<Result<_, candle_core::Error>>())?;
        Ok(Score::new(self.dataset, Split::Validation, &pieces.concat()))
    }

    fn into_model(self) -> Model {
        let (labels, views) = (self.dataset.labels().to_vec(), self.dataset.views().to_vec());
        Model::new(self.network, labels, views, self.dataset.shape())
    }
}

/// Adds losses and gradients in the order of the pieces: another order would round differently.
fn add_up(pieces: Vec<(f64, GradStore)>, variables: &[Var]) -> candle_core::Result<(f64, GradStore)> {
    let mut pieces = pieces.into_iter();
    let (mut loss, mut total) = pieces.next().expect("a batch holds at least one clip");
    for (more, gradients) in pieces {
        loss += more;
        for variable in variables {
            let sum = match (total.get(variable), gradients.get(variable)) {
                (Some(left), Some(right)) => (left + right)?,
                _ => candle_core::bail!("a weight has no gradient"),
            };
            total.insert(variable, sum);
        }
    }
    Ok((loss, total))
}

fn check_finite(epoch: u32, losses: [f64; 2]) -> Result<(), FitError> {
    match losses.into_iter().find(|loss| !loss.is_finite()) {
        Some(loss) => Err(FitError::Diverged { epoch, loss }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_is_no_number_ends_the_training_and_says_so() {
        assert!(check_finite(1, [0.7, 0.8]).is_ok());
        let error = check_finite(3, [0.7, f64::NAN]).expect_err("NaN is no number");
        assert_eq!(
            error.to_string(),
            "the loss became NaN in epoch 3: lower `learning_rate`, or check how the frames are normalised"
        );
        assert!(check_finite(3, [f64::INFINITY, 0.8]).is_err());
    }
}
