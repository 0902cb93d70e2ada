//! One launch: blocks one after the other, each thread up to the next barrier, until all have returned.

use super::code::Kernel;
use super::shared::Shared;
use super::thread::{Places, Stop, Thread};

/// The memory that all threads share, as the driver keeps it.
pub(crate) trait Global {
    /// `bytes` of them, little-endian. An error where nothing is, nobody wrote, or another thread wrote meanwhile.
    fn read(&mut self, at: u64, bytes: u32, who: Who) -> Result<u64, String>;
    /// An error as above.
    fn write(&mut self, at: u64, bytes: u32, value: u64, who: Who) -> Result<(), String>;
}

/// Who uses global memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who {
    /// Its number in the grid, from 1.
    pub(crate) thread: u32,
    pub(crate) block: u32,
    /// The barriers that the block has passed.
    pub(crate) epoch: u32,
}

/// The order in which the threads of a block, and blocks, have their turn. A right kernel gives the same in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    #[default]
    Forward,
    Reverse,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Launch<'a> {
    pub(crate) kernel: &'a Kernel,
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) shared_bytes: u32,
    pub(crate) parameters: &'a [u8],
    pub(crate) order: Order,
}

/// What was done, to be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) instructions: u64,
    pub(crate) loads: u64,
    pub(crate) stores: u64,
}

/// Runs a launch to its end, or to its first mistake.
pub(crate) fn run(launch: &Launch<'_>, global: &mut dyn Global, work: &mut Work) -> Result<(), String> {
    let [x, y, z] = launch.grid;
    let blocks = x * y * z;
    for turn in 0..blocks {
        let block = in_order(launch.order, turn, blocks);
        let place = [block % x, block / x % y, block / x / y];
        run_block(launch, place, block, global, work)
            .map_err(|problem| format!("kernel {}, block {place:?}, {problem}", launch.kernel.name))?;
    }
    Ok(())
}

fn in_order(order: Order, turn: u32, count: u32) -> u32 {
    if order == Order::Forward { turn } else { count - 1 - turn }
}

fn run_block(
    launch: &Launch<'_>,
    place: [u32; 3],
    block: u32,
    global: &mut dyn Global,
    work: &mut Work,
) -> Result<(), String> {
    let [x, y, z] = launch.block;
    let count = x * y * z;
    let mut shared = Shared::of(launch.shared_bytes);
    let mut threads: Vec<Thread> =
        (0..count).map(|t| Thread::new(launch, Places::of(launch, [t % x, t / x % y, t / x / y], place))).collect();
    for epoch in 0.. {
        let mut waiting = 0;
        for turn in 0..count {
            let number = in_order(launch.order, turn, count);
            let thread = &mut threads[number as usize];
            let who = Who { thread: block * count + number + 1, block, epoch };
            let stop = thread.run(launch, &mut shared, global, who, work);
            waiting += u32::from(stop.map_err(|problem| format!("thread {number}, {problem}"))? == Stop::Barrier);
        }
        if waiting == 0 {
            break;
        }
        if waiting != count {
            return Err(format!("{waiting} of {count} threads wait at a barrier that the others never reach"));
        }
        shared.barrier();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::DeviceMemory;
    use crate::ptx::parse;

    /// Runs a body in blocks of four threads, with 16 bytes of shared memory and `out`, the address of eight words.
    fn ran(body: &str, order: Order) -> Result<Vec<u8>, String> {
        let text = format!(
            ".version 6.3\n.target sm_75\n.address_size 64\n.extern .shared .align 4 .b8 tile[];\n.visible .entry \
             k(\n.param .u64 out\n)\n{{\n.reg .b32 %r<9>;\n.reg .b64 %rd<9>;\n.reg .pred %p<3>;\nld.param.u64 %rd1, \
             [out];\nmov.u32 %r1, %tid.x;\nmov.u32 %r2, %ctaid.x;\nshl.b32 %r3, %r1, 2;\nmov.u32 %r4, \
             tile;\nadd.s32 %r4, %r4, %r3;\nmad.lo.s32 %r5, %r2, 4, %r1;\nmul.wide.u32 %rd2, %r5, 4;\nadd.s64 %rd3, \
             %rd1, %rd2;\n{body}\nret;\n}}\n"
        );
        let module = parse(&text)?;
        let mut memory = DeviceMemory::new(1000);
        let out = memory.allocate(32).unwrap();
        let launch = Launch {
            kernel: &module.kernels["k"],
            grid: [2, 1, 1],
            block: [4, 1, 1],
            shared_bytes: 16,
            parameters: &out.to_le_bytes(),
            order,
        };
        run(&launch, &mut memory, &mut Work::default())?;
        memory.copy_out(out, 32)
    }

    const OVER_SHARED: &str = "st.shared.u32 [%r4], %r5;\nBARRIER\nxor.b32 %r6, %r3, 4;\nld.shared.u32 %r7, \
                               [%r6];\nst.global.u32 [%rd3], %r7;";

    fn words(bytes: Vec<u8>) -> Vec<u8> {
        bytes.into_iter().step_by(4).collect()
    }

    #[test]
    fn threads_hand_each_other_values_over_a_barrier_in_any_order() {
        let body = OVER_SHARED.replace("BARRIER", "bar.sync 0;");
        // Each thread takes its neighbour's number: 0 and 1 change places, and so on.
        for order in [Order::Forward, Order::Reverse] {
            assert_eq!(ran(&body, order).map(words).unwrap(), [1, 0, 3, 2, 5, 4, 7, 6]);
        }
    }

    #[test]
    fn without_the_barrier_the_first_reader_is_told() {
        let body = OVER_SHARED.replace("BARRIER", "");
        let problem = ran(&body, Order::Forward).unwrap_err();
        assert!(problem.starts_with("kernel k, block [0, 0, 0], thread 0, line 24: reads byte 4"), "{problem}");
        assert!(ran(&body, Order::Reverse).unwrap_err().contains("thread 3, line 24: reads byte 8"));
    }

    #[test]
    fn a_barrier_that_not_all_threads_reach_is_told() {
        let body = "setp.eq.s32 %p1, %r1, 2;\n@%p1 bra $L1;\nbar.sync 0;\n$L1:\nst.global.u32 [%rd3], %r5;";
        assert!(
            ran(body, Order::Forward)
                .unwrap_err()
                .ends_with("3 of 4 threads wait at a barrier that the others never reach")
        );
    }

    #[test]
    fn two_threads_that_write_one_word_are_told() {
        let problem = ran("st.global.u32 [%rd1], %r5;", Order::Forward).unwrap_err();
        assert!(problem.contains("thread 1") && problem.contains("race: writes byte 0 of 32"), "{problem}");
    }

    #[test]
    fn an_access_that_is_not_aligned_or_outside_is_told() {
        assert!(ran("ld.global.u32 %r6, [%rd3+2];", Order::Forward).unwrap_err().contains("no multiple of 4"));
        assert!(ran("st.global.u32 [%rd3+32], %r5;", Order::Forward).unwrap_err().contains("4 past the end of 32"));
        assert!(ran("ld.param.u64 %rd4, [out+8];", Order::Forward).unwrap_err().contains("byte 8 of 8"));
    }

    #[test]
    fn values_are_extended_as_their_type_says() {
        let body = "mov.u32 %r6, -2;\nst.global.u32 [%rd3], %r6;\nld.global.s8 %r7, [%rd3];\nld.global.u8 %r8, \
                    [%rd3];\nadd.s32 %r7, %r7, %r8;\nst.global.u32 [%rd3], %r7;";
        // -2 + 254 = 252.
        assert_eq!(ran(body, Order::Forward).map(words).unwrap(), [252; 8]);
    }
}
