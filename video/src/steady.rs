//! Times of packets whose clock begins anew -> times that go on: recordings put one behind another in one file.
//! Knows packets and ticks; every stream must count the same ticks, as those of MPEG's containers do.

use ffmpeg_next::Packet;

/// The clocks of a file's streams, as one.
#[derive(Clone)]
pub(crate) struct Steady {
    /// A time that lies so far before the last one is no matter of order. `None`: clocks of this container go on.
    back: Option<i64>,
    /// What is added to times behind each beginning; the first is the file's own.
    offsets: Vec<i64>,
    /// For each stream: behind which beginning it is, and its last time.
    streams: Vec<(usize, Option<i64>)>,
}

impl Steady {
    pub(crate) fn new(streams: usize, back: Option<i64>) -> Self {
        Steady { back, offsets: vec![0], streams: vec![(0, None); streams] }
    }

    /// The same clocks for another reading, that begins behind a beginning.
    pub(crate) fn again(&self, beginning: usize) -> Self {
        let streams = vec![(beginning, None); self.streams.len()];
        Steady { back: self.back, offsets: self.offsets.clone(), streams }
    }

    /// Gives a packet its time on the one clock. Returns behind which beginning it lies.
    pub(crate) fn mend(&mut self, packet: &mut Packet) -> usize {
        let Some((beginning, last)) = self.streams.get_mut(packet.stream()) else { return 0 };
        let (Some(back), Some(time)) = (self.back, packet.dts().or(packet.pts())) else { return *beginning };
        if last.is_some_and(|last| time.saturating_add(self.offsets[*beginning]) < last.saturating_sub(back)) {
            *beginning += 1;
            if *beginning == self.offsets.len() {
                // The first packet behind a beginning follows the last one before it.
                let follows = last.unwrap_or(0).saturating_add(packet.duration().max(1));
                self.offsets.push(follows.saturating_sub(time));
            }
        }
        let offset = self.offsets[*beginning];
        *last = Some(last.unwrap_or(i64::MIN).max(time.saturating_add(offset)));
        packet.set_pts(packet.pts().map(|pts| pts.saturating_add(offset)));
        packet.set_dts(packet.dts().map(|dts| dts.saturating_add(offset)));
        *beginning
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(steady: &mut Steady, stream: usize, time: i64) -> Option<i64> {
        let mut packet = Packet::empty();
        packet.set_stream(stream);
        packet.set_duration(10);
        packet.set_pts(Some(time + 5));
        packet.set_dts(Some(time));
        steady.mend(&mut packet);
        packet.dts()
    }

    #[test]
    fn a_clock_that_begins_anew_goes_on_for_all_streams_alike() {
        let mut steady = Steady::new(2, Some(50));
        let times = [(0, 1000), (1, 1004), (0, 1010), (0, 100), (1, 1014), (1, 104), (0, 110)];
        let mended = times.map(|(stream, time)| at(&mut steady, stream, time));
        assert_eq!(mended, [1000, 1004, 1010, 1020, 1014, 1024, 1030].map(Some));
        let mut again = steady.again(1);
        assert_eq!(at(&mut again, 1, 114), Some(1034));
    }

    #[test]
    fn packets_a_little_out_of_order_are_no_beginning() {
        let mut steady = Steady::new(1, Some(50));
        assert_eq!([1000, 960, 1010].map(|time| at(&mut steady, 0, time)), [1000, 960, 1010].map(Some));
    }
}
