//! The fast path on a CPU: pictures -> tensors, equal to the referee bit for bit.
//!
//! Plain loops over rows that lie side by side, which the compiler turns into vectors; they are compiled several times,
//! and the machine's best is taken at run time. Only a few source rows are ever in RGB at once: those that the next
//! rows of the result are made of. Pictures are shared out among threads, so that no thread has a say in any byte.

mod loops;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod narrow;
mod wide;

mod convert;
mod filter;
mod pack;

use std::{fmt, thread};

use convert::RowConverter;
use filter::{ColumnFilter, RowFilter};
use loops::{Loops, Portable};

use super::error::FrameError;
use super::picture::Picture;
use super::plan::{Plan, Preprocess, check_buffers};

/// The CPU as a device.
pub struct Cpu {
    /// What each thread works with, kept from one call to the next.
    workers: Vec<Worker>,
    vectors: Vectors,
}

/// Which of the compiled forms runs.
#[derive(Debug, Clone, Copy)]
enum Vectors {
    #[cfg(target_arch = "x86_64")]
    V4(pulp::x86::V4),
    #[cfg(target_arch = "x86_64")]
    V3(pulp::x86::V3),
    /// What every machine of its kind has.
    Common,
}

impl Vectors {
    /// What this machine can run, the widest first.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(pulp::x86::V4::try_new().map(Vectors::V4));
            all.extend(pulp::x86::V3::try_new().map(Vectors::V3));
        }
        all.push(Vectors::Common);
        all
    }
}

impl Cpu {
    /// Uses the widest vectors of this machine, and as many threads as given when there are several pictures; at least one.
    pub fn new(threads: usize) -> Self {
        let vectors = Vectors::all().first().copied().unwrap_or(Vectors::Common);
        Cpu { workers: workers(threads), vectors }
    }

    /// One for each kind of vectors that this machine has, the widest first. All give the same bytes.
    pub fn each(threads: usize) -> Vec<Self> {
        Vectors::all().into_iter().map(|vectors| Cpu { workers: workers(threads), vectors }).collect()
    }
}

/// Without what it works with, which is many bytes of the last picture.
impl fmt::Debug for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cpu").field("threads", &self.workers.len()).field("vectors", &self.vectors).finish()
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

/// How many rows of the result are made together: as many as the shortest vectors have bytes.
const GROUP: usize = 16;

/// How many columns of a row are worked on together: as many as the longest vectors have bytes.
const BLOCK: usize = 64;

/// Two neighbouring columns of a group: for each of its rows a byte of the one and of the other.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
struct ColumnPair([[u8; 2]; GROUP]);

impl ColumnPair {
    const NONE: ColumnPair = ColumnPair([[0; 2]; GROUP]);
}

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
                Vectors::V4(simd) => {
                    let one = One { loops: simd, worker: self, plan, picture, tensor };
                    pulp::Simd::vectorize(simd, one);
                }
                #[cfg(target_arch = "x86_64")]
                Vectors::V3(simd) => {
                    let one = One { loops: simd, worker: self, plan, picture, tensor };
                    pulp::Simd::vectorize(simd, one);
                }
                Vectors::Common => self.picture(Portable, plan, picture, tensor),
            }
        }
    }

    #[inline(always)]
    fn picture<L: Loops>(&mut self, loops: L, plan: &Plan, picture: &Picture<'_>, tensor: &mut [u8]) {
        let (width, height) = (plan.place.width as usize, plan.place.height as usize);
        self.resized.resize(width * height * 3, 0);
        let needed = filter::needed_columns(&plan.columns);
        self.convert.begin(&needed);
        self.rows.begin(plan, needed.len());
        self.columns.begin(plan, needed.start);
        for first in (0..height).step_by(GROUP) {
            let group = first..(first + GROUP).min(height);
            self.rows.make(loops, plan, picture, group.clone(), &mut self.convert);
            self.columns.make(loops, plan, group, self.rows.made(), &mut self.resized);
        }
        pack::pack(loops, plan, &self.resized, tensor);
    }
}

/// The work on one picture. What is compiled for wide vectors is what is inlined into `with_simd`, so everything below it
/// is `inline(always)`, and there are no closures that the compiler could take for functions of their own.
#[cfg(target_arch = "x86_64")]
struct One<'a, L> {
    loops: L,
    worker: &'a mut Worker,
    plan: &'a Plan,
    picture: &'a Picture<'a>,
    tensor: &'a mut [u8],
}

#[cfg(target_arch = "x86_64")]
impl<L: Loops> pulp::WithSimd for One<'_, L> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.worker.picture(self.loops, self.plan, self.picture, self.tensor);
    }
}
