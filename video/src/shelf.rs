//! Bytes of a video that are wanted by several who read it: whoever comes first reads them, and they are kept until the last one has
//! had them, as far as there is room. Knows offsets; reads nothing itself.

use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::media::Block;

/// Bytes that are kept, at most: some 50 seconds at 10 Mbit/s.
const ROOM: usize = 64 << 20;

/// What is kept of one video.
#[derive(Default)]
pub(crate) struct Shelf {
    stock: Mutex<Stock>,
    /// Rings when a read has ended.
    bell: Condvar,
}

#[derive(Default)]
struct Stock {
    wishes: Vec<Wanted>,
    /// How many wishes there have been.
    numbers: u64,
    blocks: Vec<Block>,
    /// What is being read.
    under_way: Vec<Range<u64>>,
}

struct Wanted {
    number: u64,
    /// What has not been read yet, in order.
    ranges: Vec<Range<u64>>,
}

/// What somebody wants to read, now or later. What others read of it is kept until it is dropped.
pub(crate) struct Wish {
    shelf: Arc<Shelf>,
    number: u64,
}

/// The wish of somebody who waits for a turn to read.
pub(crate) struct Waiting {
    wish: Wish,
    ranges: Vec<Range<u64>>,
}

/// Where bytes come from.
enum Claim {
    Here(Block),
    /// Nobody else reads these until it is dropped.
    Mine(Range<u64>),
}

impl Shelf {
    /// Notes what will be read, in order.
    pub(crate) fn wish(self: &Arc<Self>, ranges: Vec<Range<u64>>) -> Wish {
        let mut stock = self.lock();
        stock.numbers += 1;
        let number = stock.numbers;
        stock.wishes.push(Wanted { number, ranges });
        Wish { shelf: self.clone(), number }
    }

    /// Has these kept, which are in order, while somebody waits to read them.
    pub(crate) fn wait_for(self: &Arc<Self>, ranges: Vec<Range<u64>>) -> Waiting {
        Waiting { wish: self.wish(ranges.clone()), ranges }
    }

    fn lock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wish {
    /// Wants these from now on, in order, and nothing else.
    pub(crate) fn set(&self, ranges: Vec<Range<u64>>) {
        let mut stock = self.shelf.lock();
        stock
            .wishes
            .iter_mut()
            .filter(|wish| wish.number == self.number)
            .for_each(|wish| wish.ranges.clone_from(&ranges));
        stock.tidy();
    }

    /// The block that has the first byte of a range: out of the shelf, or else read, and of the whole range then or of the part of it
    /// that nobody else has read or is reading.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn get<E>(
        &self,
        range: Range<u64>,
        read: impl FnOnce(Range<u64>) -> Result<Block, E>,
    ) -> Result<Block, E> {
        let range = match self.claim(range) {
            Claim::Here(block) => return Ok(block),
            Claim::Mine(range) => range,
        };
        let _reading = Reading { shelf: &self.shelf, range: range.clone() };
        let block = read(range)?;
        self.shelf.lock().put(self.number, &block);
        Ok(block)
    }

    fn claim(&self, range: Range<u64>) -> Claim {
        let mut stock = self.shelf.lock();
        loop {
            if let Some(block) = stock.take(self.number, range.start) {
                return Claim::Here(block);
            }
            // Who reads what this one wants will put it on the shelf.
            if !stock.is_on_its_way(self.number, range.start) {
                break;
            }
            stock = self.shelf.bell.wait(stock).unwrap_or_else(PoisonError::into_inner);
        }
        let mine = range.start..stock.next_behind(range.start).map_or(range.end, |next| next.min(range.end));
        stock.under_way.push(mine.clone());
        Claim::Mine(mine)
    }
}

impl Waiting {
    /// It is read now, by somebody who wants it.
    pub(crate) fn is_over(&self) {
        self.wish.set(Vec::new());
    }

    /// It waits, again or still.
    pub(crate) fn goes_on(&self) {
        self.wish.set(self.ranges.clone());
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        let mut stock = self.shelf.lock();
        stock.wishes.retain(|wish| wish.number != self.number);
        stock.tidy();
    }
}

/// A read that is under way. Others wait for it, so it ends however the read does.
struct Reading<'a> {
    shelf: &'a Shelf,
    range: Range<u64>,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut stock = self.shelf.lock();
        if let Some(at) = stock.under_way.iter().position(|range| *range == self.range) {
            stock.under_way.swap_remove(at);
        }
        drop(stock);
        self.shelf.bell.notify_all();
    }
}

impl Stock {
    fn take(&mut self, number: u64, at: u64) -> Option<Block> {
        let block = self.blocks.iter().find(|block| block.from(at).is_some()).cloned()?;
        self.has(number, &block.range());
        self.tidy();
        Some(block)
    }

    fn put(&mut self, number: u64, block: &Block) {
        let range = block.range();
        self.has(number, &range);
        let kept: usize = self.blocks.iter().map(|block| block.bytes.len()).sum();
        if self.is_wanted(&range) && kept + block.bytes.len() <= ROOM {
            self.blocks.push(block.clone());
        }
    }

    fn is_on_its_way(&self, number: u64, at: u64) -> bool {
        let wish = self.wishes.iter().find(|wish| wish.number == number);
        wish.is_some_and(|wish| wish.wants(&(at..at.saturating_add(1))))
            && self.under_way.iter().any(|range| range.contains(&at))
    }

    /// Where that begins which is here or on its way behind a place.
    fn next_behind(&self, at: u64) -> Option<u64> {
        let here = self.blocks.iter().map(|block| block.at);
        here.chain(self.under_way.iter().map(|range| range.start)).filter(|begin| *begin > at).min()
    }

    /// Somebody has had these bytes.
    fn has(&mut self, number: u64, range: &Range<u64>) {
        let Some(wish) = self.wishes.iter_mut().find(|wish| wish.number == number) else { return };
        let rest = |wanted: &Range<u64>| {
            let before = wanted.start..wanted.end.min(range.start);
            let behind = wanted.start.max(range.end)..wanted.end;
            [before, behind].into_iter().filter(|rest| !rest.is_empty())
        };
        wish.ranges = wish.ranges.iter().flat_map(rest).collect();
    }

    fn is_wanted(&self, range: &Range<u64>) -> bool {
        self.wishes.iter().any(|wish| wish.wants(range))
    }

    /// Lets go of what nobody wants.
    fn tidy(&mut self) {
        let mut blocks = std::mem::take(&mut self.blocks);
        blocks.retain(|block| self.is_wanted(&block.range()));
        self.blocks = blocks;
    }
}

impl Wanted {
    fn wants(&self, range: &Range<u64>) -> bool {
        let next = self.ranges.partition_point(|wanted| wanted.end <= range.start);
        self.ranges.get(next).is_some_and(|wanted| wanted.start < range.end)
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a wish may have one range")]
mod tests {
    use super::*;

    fn block(range: Range<u64>) -> Result<Block, String> {
        let bytes = range.clone().map(|at| u8::try_from(at % 251).unwrap()).collect();
        Ok(Block { at: range.start, bytes: Arc::new(bytes) })
    }

    fn never(range: Range<u64>) -> Result<Block, String> {
        Err(format!("{range:?} was read once more"))
    }

    fn kept(shelf: &Shelf) -> Vec<Range<u64>> {
        shelf.lock().blocks.iter().map(Block::range).collect()
    }

    #[test]
    fn what_another_one_wants_is_kept_until_that_one_has_had_it() {
        let shelf = Arc::new(Shelf::default());
        let first = shelf.wish(vec![0..300]);
        let second = shelf.wish(vec![150..180, 190..200]);
        first.get(0..100, block).unwrap();
        assert_eq!(kept(&shelf), []);
        first.get(100..200, block).unwrap();
        assert_eq!(kept(&shelf), [100..200]);
        let again = second.get(190..1000, never).unwrap();
        assert_eq!(again.from(190).unwrap()[0], 190);
        assert_eq!(kept(&shelf), []);
    }

    #[test]
    fn nothing_is_kept_for_those_who_want_it_no_more() {
        let shelf = Arc::new(Shelf::default());
        let [first, second, third] = [0, 1, 2].map(|_| shelf.wish(vec![0..100, 200..300]));
        first.get(0..100, block).unwrap();
        drop(second);
        assert_eq!(kept(&shelf), [0..100]);
        third.set(vec![200..300]);
        assert_eq!(kept(&shelf), []);
    }

    #[test]
    fn a_read_ends_where_that_begins_which_is_kept() {
        let shelf = Arc::new(Shelf::default());
        let (first, second) = (shelf.wish(Vec::new()), shelf.wish(vec![100..200]));
        first.get(100..200, block).unwrap();
        assert_eq!(second.get(50..150, block).unwrap().range(), 50..100);
        assert_eq!(second.get(100..150, never).unwrap().range(), 100..200);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let shelf = Arc::new(Shelf::default());
        let half = ROOM as u64 / 2;
        let (first, second) = (shelf.wish(Vec::new()), shelf.wish(vec![0..3 * half]));
        for at in [0, half, 2 * half] {
            first.get(at..at + half, block).unwrap();
        }
        assert_eq!(kept(&shelf), [0..half, half..2 * half]);
        assert!(second.get(2 * half..3 * half, never).is_err(), "it was not kept");
    }

    #[test]
    fn bytes_that_are_being_read_are_waited_for_and_read_anew_if_that_failed() {
        for works in [true, false] {
            let shelf = Arc::new(Shelf::default());
            let (first, second) = (shelf.wish(vec![0..100]), shelf.wish(vec![0..100]));
            let outcome = std::thread::scope(|scope| {
                let (begun, begins) = std::sync::mpsc::channel();
                let other = scope.spawn(move || {
                    begins.recv().unwrap();
                    second.get(0..100, |_| Err::<Block, _>("it was read twice".to_owned()))
                });
                let read = first.get(0..100, |range| {
                    begun.send(()).unwrap();
                    // Whether the other one waits by now or comes later, it finds the same.
                    std::thread::yield_now();
                    if works { block(range) } else { Err("gone".to_owned()) }
                });
                assert_eq!(read.is_ok(), works);
                other.join().unwrap()
            });
            assert_eq!(outcome.is_ok(), works);
        }
    }
}
