//! The fast path on a CPU: pictures -> tensors, equal to the referee bit for bit.
//!
//! Plain loops over rows that lie side by side, which the compiler turns into vectors; they are compiled several times,
//! and the machine's best is taken at run time. Only a few source rows are ever in RGB at once: those that the next
//! rows of the result are made of. Pictures are shared out among threads, so that no thread has a say in any byte.

mod loops;

#[cfg(target_arch = "x86_64")]
mod avx2;
mod convert;
mod filter;
mod pack;

use std::thread;

use convert::RowConverter;
use filter::{ColumnFilter, RowFilter};
use loops::{Loops, Portable};

use super::error::FrameError;
use super::picture::Picture;
use super::plan::{Plan, Preprocess, check_buffers};

/// The CPU as a device.
#[derive(Debug)]
pub struct Cpu {
    /// What each thread works with, kept from one call to the next.
    workers: Vec<Worker>,
    vectors: Vectors,
}

/// Which of the compiled forms runs.
#[derive(Debug, Clone, Copy)]
enum Vectors {
    Best(pulp::Arch),
    Common,
}

impl Cpu {
    /// Uses the widest vectors of this machine, and as many threads as given when there are several pictures; at least one.
    pub fn new(threads: usize) -> Self {
        Cpu { workers: workers(threads), vectors: Vectors::Best(pulp::Arch::new()) }
    }

    /// Uses only what every machine of its kind has, on one thread.
    pub fn common() -> Self {
        Cpu { workers: workers(1), vectors: Vectors::Common }
    }
}

fn workers(threads: usize) -> Vec<Worker> {
    (0..threads.max(1)).map(|_| Worker::default()).collect()
}

impl Preprocess for Cpu {
    fn run(&mut self, plan: &Plan, pictures: &[Picture<'_>], out: &mut [u8]) -> Result<(), FrameError> {
        check_buffers(plan, pictures, out)?;
        let vectors = self.vectors;
        let each = pictures.len().div_ceil(self.workers.len()).max(1);
        let mut parts =
            self.workers.iter_mut().zip(pictures.chunks(each)).zip(out.chunks_mut((each * plan.frame_bytes()).max(1)));
        let Some(((own, pictures), out)) = parts.next() else { return Ok(()) };
        thread::scope(|scope| {
            for ((worker, pictures), out) in parts {
                scope.spawn(move || worker.run(vectors, plan, pictures, out));
            }
            own.run(vectors, plan, pictures, out);
        });
        Ok(())
    }
}

/// How many rows of the result are made together: as many as a vector has bytes.
const GROUP: usize = 16;

/// The buffers of one thread.
#[derive(Debug, Default)]
struct Worker {
    convert: RowConverter,
    rows: RowFilter,
    columns: ColumnFilter,
    /// The resized picture: all of red, of green, of blue.
    resized: Vec<u8>,
}

impl Worker {
    fn run(&mut self, vectors: Vectors, plan: &Plan, pictures: &[Picture<'_>], out: &mut [u8]) {
        for (picture, tensor) in pictures.iter().zip(out.chunks_exact_mut(plan.frame_bytes())) {
            match vectors {
                #[cfg(target_arch = "x86_64")]
                Vectors::Best(pulp::Arch::V3(simd)) => {
                    let one = One { loops: simd, worker: self, plan, picture, tensor };
                    pulp::Simd::vectorize(simd, one);
                }
                Vectors::Best(arch) => arch.dispatch(One { loops: Portable, worker: self, plan, picture, tensor }),
                Vectors::Common => self.picture(Portable, plan, picture, tensor),
            }
        }
    }

    #[inline(always)]
    fn picture<L: Loops>(&mut self, loops: L, plan: &Plan, picture: &Picture<'_>, tensor: &mut [u8]) {
        let (width, height) = (plan.place.width as usize, plan.place.height as usize);
        self.resized.resize(width * height * 3, 0);
        let needed = filter::needed_columns(&plan.columns);
        self.convert.begin(plan, &needed);
        self.rows.begin(plan, needed.len());
        for first in (0..height).step_by(GROUP) {
            let group = first..(first + GROUP).min(height);
            self.rows.make(loops, plan, picture, group.clone(), &mut self.convert);
            self.columns.make(loops, plan, group, needed.start, self.rows.made(), &mut self.resized);
        }
        pack::pack(plan, &self.resized, tensor);
    }
}

/// The work on one picture. What is compiled for wide vectors is what is inlined into `with_simd`, so everything below it
/// is `inline(always)`, and there are no closures that the compiler could take for functions of their own.
struct One<'a, L> {
    loops: L,
    worker: &'a mut Worker,
    plan: &'a Plan,
    picture: &'a Picture<'a>,
    tensor: &'a mut [u8],
}

impl<L: Loops> pulp::WithSimd for One<'_, L> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.worker.picture(self.loops, self.plan, self.picture, self.tensor);
    }
}
