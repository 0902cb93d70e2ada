//! What the stand-in is told to do wrong, it does.

use crate::{Bench, OBJECTS, bytes};
use pipe_standin::{Asked, Fault};
use std::io::{Read, Write};
use std::net::TcpStream;

/// What befalls the next request and no other.
fn once(bench: &Bench, fault: Fault) {
    let mut fault = Some(fault);
    bench.standin.befalls(move |_| fault.take());
}

#[test]
fn a_request_is_refused_or_unanswered_with_and_without_its_effect() {
    let bench = Bench::new();
    let path = "/upload/storage/v1/b/films/o?uploadType=media&name=a";
    let cases = [
        (Fault::Refuse(503), Some((503, "backendError")), false),
        (Fault::Refuse(429), Some((429, "rateLimitExceeded")), false),
        (Fault::DoAndRefuse(500), Some((500, "internalError")), true),
        (Fault::HangUp, None, false),
        (Fault::DoAndHangUp, None, true),
    ];
    for (fault, expected, is_done) in cases {
        bench.standin.remove("films", "a");
        once(&bench, fault.clone());
        let said = bench.ask("POST", path, &[], b"1");
        let told = said.map(|said| (said.code, said.error().1));
        assert_eq!(told, expected.map(|(code, reason)| (code, reason.to_owned())), "{fault:?}");
        assert_eq!(bench.holds("a").is_some(), is_done, "{fault:?}");
    }
}

#[test]
fn an_answer_breaks_off_where_it_was_told_to() {
    let bench = Bench::new();
    let whole = bytes(500_000);
    bench.put("a", &whole, "");
    once(&bench, Fault::Cut(300_000));
    let said = bench.get(&format!("{OBJECTS}/a?alt=media"));
    let sent = said.body.len();
    assert!(!said.is_whole && (1..=300_000).contains(&sent) && said.body == whole[..sent], "{sent}");
    assert!(bench.get(&format!("{OBJECTS}/a?alt=media")).is_whole);
}

#[test]
fn of_an_upload_that_breaks_whole_steps_are_kept() {
    let bench = Bench::new();
    let whole = bytes(600_000);
    let at = bench.begin("a", "");
    once(&bench, Fault::Lose(300_000));
    assert!(bench.ask("PUT", &at, &[("Content-Range", "bytes 0-599999/600000")], &whole).is_none());
    let asked = bench.add(&at, "bytes */600000", b"");
    assert_eq!((asked.code, asked.header("range")), (308, Some("bytes=0-262143")));
    assert_eq!(bench.add(&at, "bytes 262144-599999/600000", &whole[262_144..]).code, 200);
    assert!(bench.holds("a").unwrap() == whole);
}

#[test]
fn of_a_client_that_goes_away_whole_steps_are_kept() {
    let bench = Bench::new();
    let whole = bytes(600_000);
    let at = bench.begin("a", "");
    let mut connection = TcpStream::connect(bench.standin.address()).unwrap();
    let head = format!(
        "PUT {at} HTTP/1.1\r\nHost: x\r\nContent-Length: 600000\r\nContent-Range: bytes 0-599999/600000\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(&whole[..300_000]).unwrap();
    connection.shutdown(std::net::Shutdown::Write).unwrap();
    // It has seen the end when it has closed its side.
    let _ = connection.read_to_end(&mut Vec::new());
    let asked = bench.add(&at, "bytes */600000", b"");
    assert_eq!((asked.code, asked.header("range")), (308, Some("bytes=0-262143")));
    assert_eq!(bench.add(&at, "bytes 262144-599999/600000", &whole[262_144..]).code, 200);
    assert!(bench.holds("a").unwrap() == whole);
}

#[test]
fn rules_come_as_json_too_and_what_was_asked_is_told() {
    let bench = Bench::new();
    let rules =
        r#"[{"method": "storage.objects.get", "about": "a", "after": 1, "times": 2, "fault": {"refuse": 503}}]"#;
    assert_eq!(bench.json("PUT", "/standin/faults", rules).code, 200);
    bench.put("a", b"1", "");
    let codes: Vec<u16> = (0..4).map(|_| bench.get(&format!("{OBJECTS}/a")).code).collect();
    assert_eq!(codes, [200, 503, 503, 200]);
    let asked = Asked { method: "storage.objects.insert".into(), about: "a".into(), by: None };
    assert_eq!((bench.standin.asked().len(), bench.standin.asked()[0].clone()), (5, asked));
    let told = bench.get("/standin/asked").read_json();
    assert_eq!(told[4], serde_json::json!({ "method": "storage.objects.get", "about": "a" }));
    assert_eq!(bench.json("PUT", "/standin/faults", r#"[{"fault": "nothing"}]"#).code, 400);
}
