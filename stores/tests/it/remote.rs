//! What lies elsewhere is read by ranges, whatever the server does.

use pipe_engine::failure::Class;
use pipe_engine::remote::{RangeError, RemoteBytes, RemoteStat, Remotes};
use pipe_fakeweb::{Fault, Manner, Web};
use pipe_stores::WebAndBuckets;
use std::sync::Arc;
use std::time::Duration;

fn bytes() -> Vec<u8> {
    (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn impatient() -> WebAndBuckets {
    WebAndBuckets::patient(Duration::from_millis(300), Duration::from_millis(1))
}

fn opened(web: &Web) -> (RemoteStat, Arc<dyn RemoteBytes>) {
    let remotes = impatient();
    let stat = remotes.look(&web.url("v.mp4")).unwrap();
    let bytes = remotes.open(&web.url("v.mp4"), &stat).unwrap();
    (stat, bytes)
}

fn read(far: &Arc<dyn RemoteBytes>, at: u64, most: usize) -> Result<Vec<u8>, RangeError> {
    let mut into = vec![0; most];
    let count = far.read_at(at, &mut into)?;
    into.truncate(count);
    Ok(into)
}

#[test]
fn a_look_costs_a_byte_and_a_read_what_was_asked_for() {
    let web = Web::serve(bytes());
    let (stat, far) = opened(&web);
    assert_eq!(stat, RemoteStat { size: 100_000, identity: "etag \"one\"".into() });
    assert_eq!(read(&far, 500, 1000).unwrap(), bytes()[500..1500]);
    assert_eq!(read(&far, 99_990, 1000).unwrap(), bytes()[99_990..]);
    assert!(read(&far, 100_000, 10).unwrap().is_empty());
    let mut given = web.given();
    // Each answer is noted by a thread of its own.
    given.sort_by_key(|range| range.start);
    assert_eq!(given, [0..1, 500..1500, 99_990..100_000]);
}

#[test]
fn what_came_before_a_connection_broke_is_kept() {
    let web = Web::serve(bytes());
    let (_, far) = opened(&web);
    web.fail([Fault::Cut(70), Fault::Cut(0), Fault::Silence(30), Fault::Silence(0), Fault::Status(503)]);
    assert_eq!(read(&far, 0, 1000).unwrap(), bytes()[..70]);
    let why = |error: RangeError| match error {
        RangeError::Broken(error) => error.to_string(),
        other => panic!("{other:?}"),
    };
    why(read(&far, 70, 1000).unwrap_err());
    assert_eq!(read(&far, 70, 1000).unwrap(), bytes()[70..100]);
    assert_eq!(why(read(&far, 100, 1000).unwrap_err()), "the server says nothing");
    assert_eq!(why(read(&far, 100, 1000).unwrap_err()), "the server says 503 Service Unavailable");
    assert_eq!(read(&far, 100, 1000).unwrap(), bytes()[100..1100]);
}

#[test]
fn another_version_is_never_read_whether_or_not_the_server_keeps_conditions() {
    let time = |second: u32| Some(format!("Sun, 06 Nov 1994 08:49:{second} GMT"));
    let tagged = |tag: &str| Manner { tag: Some(tag.into()), ..Manner::default() };
    let timed = |second| Manner { tag: None, modified: time(second), ..Manner::default() };
    let pairs =
        [(tagged("\"one\""), tagged("\"two\"")), (tagged("W/\"1\""), tagged("W/\"2\"")), (timed(37), timed(38))];
    for (before, after) in pairs {
        for keeps_conditions in [true, false] {
            for has_ranges in [true, false] {
                let web = Web::serve(bytes());
                web.behave(before.clone());
                let (_, far) = opened(&web);
                assert_eq!(read(&far, 5, 10).unwrap(), bytes()[5..15], "{before:?}");
                web.behave(Manner { keeps_conditions, has_ranges, ..after.clone() });
                let error = read(&far, 15, 10).unwrap_err();
                assert!(matches!(error, RangeError::Changed), "{after:?}: {error:?}");
            }
        }
    }
}

#[test]
fn a_server_that_cannot_serve_a_video_is_refused_in_a_sentence() {
    let manner = Manner::default;
    let cases = [
        (Manner { has_ranges: false, ..manner() }, None, "the server gives no parts of a file, only all of it"),
        (Manner { tag: None, ..manner() }, None, "the server tells neither an ETag nor when it was changed"),
        (manner(), Some(404), "there is nothing there"),
        (manner(), Some(403), "it may not be read: the server says 403 Forbidden"),
        (manner(), Some(418), "the server says 418"),
    ];
    for (manner, status, said) in cases {
        let web = Web::serve(bytes());
        web.behave(manner);
        web.fail(status.map(Fault::Status));
        let failure = impatient().look(&web.url("v.mp4")).unwrap_err();
        assert!(failure.message.starts_with(said), "{failure:?}");
        assert_eq!((failure.class, failure.on), (Class::Failed, Some(web.url("v.mp4"))));
        assert!(failure.help.is_some() && web.requests() == 1, "{said}");
    }
}

#[test]
fn nobody_is_led_to_where_a_machine_is_told_its_credentials() {
    let never = |failure: pipe_engine::failure::Failure| {
        assert_eq!((failure.class, failure.code.as_str()), (Class::Failed, "source_forbidden"), "{failure:?}");
    };
    for host in ["169.254.169.254", "metadata.google.internal", "[::ffff:a9fe:a9fe]"] {
        never(
            impatient()
                .look(&format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token"))
                .unwrap_err(),
        );
    }
    let web = Web::serve(bytes());
    web.fail([Fault::Elsewhere("http://169.254.169.254/latest/meta-data/iam/security-credentials/".into())]);
    never(impatient().look(&web.url("v.mp4")).unwrap_err());
    assert_eq!(web.requests(), 1);
}

#[test]
fn a_video_that_lies_elsewhere_is_read_there_and_one_that_lies_nowhere_is_not_looked_for_for_ever() {
    let (front, back) = (Web::serve(bytes()), Web::serve(bytes()));
    front.fail([Fault::Elsewhere(back.url("v.mp4"))]);
    assert_eq!(impatient().look(&front.url("v.mp4")).unwrap().size, 100_000);
    front.fail(vec![Fault::Elsewhere(front.url("v.mp4")); 30]);
    let failure = impatient().look(&front.url("v.mp4")).unwrap_err();
    assert!(failure.message.contains("without end"), "{failure:?}");
}

#[test]
fn a_server_that_stumbles_is_asked_five_times_and_no_more() {
    let web = Web::serve(bytes());
    web.fail([500, 502, 503, 429].map(Fault::Status));
    assert_eq!(impatient().look(&web.url("v.mp4")).unwrap().size, 100_000);
    assert_eq!(web.requests(), 5);
    web.fail(vec![Fault::Status(503); 6]);
    let failure = impatient().look(&web.url("v.mp4")).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Transient, "source_unreachable"));
    assert_eq!((web.requests(), web.faults_left()), (10, 1));
}

#[test]
fn nothing_that_is_said_holds_what_lets_one_in() {
    let web = Web::serve(bytes());
    let url = |web: &Web| web.url("v.mp4?X-Amz-Signature=hush").replace("http://", "http://somebody:hush@");
    web.fail([403].map(Fault::Status));
    let refused = impatient().look(&url(&web)).unwrap_err();
    web.fail(vec![Fault::Status(500); 5]);
    let broken = impatient().look(&url(&web)).unwrap_err();
    let nobody = impatient().look("http://somebody:hush@127.0.0.1:1/v.mp4?sig=hush").unwrap_err();
    let wrong = impatient().look("http://somebody:hush@[/v.mp4?sig=hush").unwrap_err();
    let bucket = impatient().look("s3:///v.mp4?sig=hush").unwrap_err();
    for failure in [refused, broken, nobody, wrong, bucket] {
        assert!(!format!("{failure:?}").contains("hush"), "{failure:?}");
    }
}

#[test]
fn an_empty_file_is_known_to_be_empty() {
    assert_eq!(impatient().look(&Web::serve(Vec::new()).url("v.mp4")).unwrap().size, 0);
}
