//! Uploads with settings, with checksums, and part by part.

use crate::{Bench, OBJECTS, UPLOAD, bytes};

const STEP: usize = 256 << 10;

/// An upload in one request with settings, bytes and, behind them, checksums: as Google's client for Rust sends it.
fn related(bench: &Bench, settings: &str, media: &[u8], behind: Option<&str>) -> crate::Said {
    let json = "Content-Type: application/json; charset=UTF-8\r\n\r\n";
    let mut body =
        format!("--b\r\nContent-Disposition: form-data; name=\"metadata\"\r\n{json}{settings}\r\n").into_bytes();
    body.extend(b"--b\r\nContent-Disposition: form-data; name=\"media\"\r\n\r\n");
    body.extend(media);
    if let Some(behind) = behind {
        body.extend(format!("\r\n--b\r\n{json}{behind}").bytes());
    }
    body.extend(b"\r\n--b--\r\n");
    let headers = [("Content-Type", "multipart/related; boundary=b")];
    bench.ask("POST", &format!("{UPLOAD}?uploadType=multipart&name=a"), &headers, &body).unwrap()
}

/// Source of the checksum: the check value of CRC-32C for these nine digits.
#[test]
fn bytes_are_held_against_the_checksums_that_come_with_them() {
    let bench = Bench::new();
    let (right, wrong) = (r#"{"crc32c": "4waSgw=="}"#, r#"{"crc32c": "AAAAAA=="}"#);
    for (settings, behind) in [("{}", Some(wrong)), (wrong, None), (r#"{"md5Hash": "AAAA"}"#, None)] {
        let said = related(&bench, settings, b"123456789", behind);
        assert_eq!(said.code, 400, "{settings} {behind:?}");
        assert!(said.error().0.contains("doesn't match calculated"), "{:?}", said.error());
        assert!(bench.holds("a").is_none());
    }
    for (settings, behind) in [("{}", Some(right)), (right, None), (r#"{"cacheControl": "no-store"}"#, None)] {
        assert_eq!(related(&bench, settings, b"123456789", behind).code, 200, "{settings} {behind:?}");
    }
    assert_eq!(bench.holds("a").unwrap(), b"123456789", "nothing but the bytes is kept");
    assert_eq!(bench.get(&format!("{OBJECTS}/a")).read_json()["cacheControl"], "no-store");
}

#[test]
fn an_upload_part_by_part_tells_how_far_it_is_and_makes_the_object_at_its_end() {
    let bench = Bench::new();
    let whole = bytes(600_000);
    let at = bench.begin("a", "&ifGenerationMatch=0");
    let asked = bench.add(&at, "bytes */*", b"");
    assert_eq!((asked.code, asked.header("range")), (308, None));
    let said = bench.add(&at, "bytes 0-262143/*", &whole[..STEP]);
    assert_eq!((said.code, said.header("range")), (308, Some("bytes=0-262143")));
    assert!(bench.holds("a").is_none() && bench.standin.open_uploads() == 1);
    let said = bench.add(&at, "bytes 262144-524287/600000", &whole[STEP..2 * STEP]);
    assert_eq!((said.code, said.header("range")), (308, Some("bytes=0-524287")));
    let made = bench.add(&at, "bytes 524288-599999/600000", &whole[2 * STEP..]);
    assert_eq!((made.code, made.read_json()["size"].as_str()), (200, Some("600000")));
    assert!(bench.holds("a").unwrap() == whole);
    let again = bench.add(&at, "bytes */600000", b"");
    assert_eq!((again.code, again.read_json()), (200, made.read_json()), "whoever lost the answer asks for it");
    assert_eq!(bench.standin.open_uploads(), 0);
}

#[test]
fn a_part_that_is_sent_again_is_not_added_twice() {
    let bench = Bench::new();
    let whole = bytes(600_000);
    let at = bench.begin("a", "");
    for _ in 0..2 {
        assert_eq!(bench.add(&at, "bytes 0-524287/*", &whole[..2 * STEP]).header("range"), Some("bytes=0-524287"));
    }
    assert_eq!(bench.add(&at, "bytes 262144-599999/600000", &whole[STEP..]).code, 200);
    assert!(bench.holds("a").unwrap() == whole);
}

#[test]
fn parts_that_do_not_fit_are_refused_and_leave_no_trace() {
    let bench = Bench::new();
    let whole = bytes(600_000);
    let at = bench.begin("a", "");
    let cases = [
        ("bytes 262144-524287/*", &whole[..STEP], "exceeds already uploaded size of 0 byte(s)"),
        ("bytes 0-99/*", &whole[..100], "contained 100 bytes"),
        ("bytes 0-262143/*", &whole[..100], "tells of 262144 bytes, and 100 came"),
        ("bytes */*", &whole[..100], "brings no bytes"),
        ("0-99/100", &whole[..100], "Failed to parse Content-Range header"),
    ];
    for (range, bytes, expected) in cases {
        let said = bench.add(&at, range, bytes);
        assert_eq!(said.code, 400, "{range}");
        assert!(said.error().0.contains(expected), "{range}: {:?}", said.error());
        assert_eq!(bench.add(&at, "bytes */*", b"").header("range"), None, "{range}");
    }
    assert_eq!(bench.add(&at, "bytes 0-599999/600000", &whole).code, 200);
    assert!(bench.holds("a").unwrap() == whole);
}

#[test]
fn an_upload_of_unknown_length_ends_where_its_bytes_end() {
    let bench = Bench::new();
    for (name, range, whole) in [("a", "bytes 0-*/*", bytes(1000)), ("b", "bytes */0", Vec::new())] {
        let at = bench.begin(name, "");
        assert_eq!(bench.add(&at, range, &whole).code, 200, "{range}");
        assert!(bench.holds(name).unwrap() == whole);
    }
    let at = bench.begin("c", "");
    assert_eq!(bench.ask("PUT", &at, &[], b"all of it").unwrap().code, 200);
    assert_eq!(bench.holds("c").unwrap(), b"all of it");
}

#[test]
fn the_condition_of_an_upload_is_asked_at_its_begin_and_at_its_end() {
    let bench = Bench::new();
    let at = bench.begin("a", "&ifGenerationMatch=0");
    bench.put("a", b"another", "");
    let late = bench.add(&at, "bytes 0-3/4", b"mine");
    assert_eq!((late.code, late.error().1.as_str()), (412, "conditionNotMet"));
    assert_eq!(bench.holds("a").unwrap(), b"another");
    let too_late = format!("{UPLOAD}?uploadType=resumable&name=a&ifGenerationMatch=0");
    assert_eq!(bench.json("POST", &too_late, "{}").code, 412);
}

#[test]
fn an_upload_that_was_given_up_stays_so() {
    let bench = Bench::new();
    let at = bench.begin("a", "");
    bench.add(&at, "bytes 0-262143/*", &bytes(262_144));
    assert_eq!(bench.ask("DELETE", &at, &[], b"").unwrap().code, 499);
    assert_eq!(bench.add(&at, "bytes 262144-262144/262145", b"x").code, 499);
    assert!(bench.holds("a").is_none() && bench.standin.open_uploads() == 0);
    let unknown = at.replace("upload_id=", "upload_id=x");
    assert_eq!(bench.add(&unknown, "bytes */*", b"").code, 404);
}
