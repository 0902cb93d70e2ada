//! Objects: what is told of them, what conditions hold, what ranges give.

use crate::{Bench, OBJECTS, UPLOAD, bytes};

fn generation(said: &crate::Said) -> String {
    said.read_json()["generation"].as_str().unwrap().to_owned()
}

/// Source of the checksums: the test of Google's own client for Rust, `read_object_metadata`.
#[test]
fn an_object_is_told_with_the_checksums_that_google_tells() {
    let bench = Bench::new();
    let path = format!("{UPLOAD}?uploadType=media&name=a/b");
    let text = b"the quick brown fox jumps over the lazy dog";
    let made = bench.ask("POST", &path, &[("Content-Type", "text/plain")], text).unwrap().read_json();
    assert_eq!((&made["crc32c"], &made["md5Hash"]), (&"PBj01g==".into(), &"d63R1fQSI9VYL8pzalyzNQ==".into()));
    assert_eq!((&made["size"], &made["metageneration"]), (&"43".into(), &"1".into()), "numbers of 64 bits are texts");
    assert_eq!((&made["name"], &made["bucket"]), (&"a/b".into(), &"films".into()));
    assert_eq!(bench.get(&format!("{OBJECTS}/a%2Fb")).read_json(), made);
    let read = bench.get(&format!("{OBJECTS}/a%2Fb?alt=media"));
    assert_eq!(read.body, text);
    let header = |name| read.header(name).unwrap();
    assert_eq!(header("x-goog-hash"), "crc32c=PBj01g==,md5=d63R1fQSI9VYL8pzalyzNQ==");
    assert_eq!(header("x-goog-generation"), made["generation"]);
    assert_eq!(header("etag"), made["etag"]);
    assert_eq!((header("content-type"), header("x-goog-stored-content-length")), ("text/plain", "43"));
}

#[test]
fn what_is_not_there_is_told_as_google_tells_it() {
    let bench = Bench::new();
    let said = bench.get(&format!("{OBJECTS}/a%2Fb?alt=media"));
    assert_eq!((said.code, said.error()), (404, ("No such object: films/a/b".into(), "notFound".into())));
    let said = bench.get("/storage/v1/b/nobody/o/a");
    assert_eq!((said.code, said.error().0.as_str()), (404, "The specified bucket does not exist."));
    assert_eq!(bench.ask("DELETE", &format!("{OBJECTS}/a"), &[], b"").unwrap().code, 404);
}

#[test]
fn a_write_goes_by_its_conditions() {
    let bench = Bench::new();
    let first = generation(&bench.put("a", b"1", "&ifGenerationMatch=0"));
    let cases = [
        ("ifGenerationMatch=0".to_owned(), 412),
        ("ifGenerationMatch=7".to_owned(), 412),
        ("ifMetagenerationMatch=2".to_owned(), 412),
        ("ifMetagenerationNotMatch=1".to_owned(), 412),
        (format!("ifGenerationNotMatch={first}"), 412),
        (format!("ifGenerationMatch={first}&ifMetagenerationMatch=1"), 200),
        (format!("ifGenerationMatch={first}"), 412),
        (format!("ifGenerationNotMatch={first}"), 200),
        ("ifGenerationNotMatch=0".to_owned(), 200),
    ];
    for (number, (condition, code)) in cases.iter().enumerate() {
        let before = bench.holds("a").unwrap();
        let said = bench.put("a", number.to_string().as_bytes(), &format!("&{condition}"));
        assert_eq!(said.code, *code, "{number}: {condition}");
        if *code == 412 {
            assert_eq!(said.error().1, "conditionNotMet");
            assert_eq!(bench.holds("a").unwrap(), before, "{condition}: a refused write leaves no trace");
        }
    }
    let missing = ["ifGenerationNotMatch=0", "ifMetagenerationMatch=1", "ifGenerationMatch=5"];
    for condition in missing {
        assert_eq!(bench.put("missing", b"1", &format!("&{condition}")).code, 412, "{condition}");
    }
}

#[test]
fn a_read_goes_by_its_conditions_and_by_its_generation() {
    let bench = Bench::new();
    let made = bench.put("a", b"1", "").read_json();
    let (generation, tag) = (made["generation"].as_str().unwrap(), made["etag"].as_str().unwrap());
    let cases = [
        (format!("ifGenerationMatch={generation}"), 200),
        ("ifGenerationMatch=7".to_owned(), 412),
        (format!("ifGenerationNotMatch={generation}"), 304),
        (format!("generation={generation}"), 200),
        ("generation=7".to_owned(), 404),
    ];
    for (condition, code) in cases {
        assert_eq!(bench.get(&format!("{OBJECTS}/a?alt=media&{condition}")).code, code, "{condition}");
    }
    for (header, value, code) in [("If-Match", tag, 200), ("If-Match", "x", 412), ("If-None-Match", tag, 304)] {
        let said = bench.ask("GET", &format!("{OBJECTS}/a"), &[(header, value)], b"").unwrap();
        assert_eq!(said.code, code, "{header}: {value}");
    }
    bench.put("a", b"2", "");
    assert_eq!(bench.get(&format!("{OBJECTS}/a?alt=media&ifGenerationMatch={generation}")).code, 412);
}

#[test]
fn a_range_is_a_part_of_the_object() {
    let bench = Bench::new();
    let whole = bytes(1_000_000);
    bench.put("a", &whole, "");
    let range = |text: &str| bench.ask("GET", &format!("{OBJECTS}/a?alt=media"), &[("Range", text)], b"").unwrap();
    let said = range("bytes=300000-699999");
    assert_eq!((said.code, said.header("content-range")), (206, Some("bytes 300000-699999/1000000")));
    assert!(said.body == whole[300_000..700_000] && said.header("content-length") == Some("400000"));
    assert_eq!(range("bytes=999990-").body, whole[999_990..]);
    assert_eq!(range("bytes=-10").body, whole[999_990..]);
    let behind = range("bytes=1000000-");
    assert_eq!((behind.code, behind.header("content-range")), (416, Some("bytes */1000000")));
}

#[test]
fn a_description_may_change_while_the_bytes_stay() {
    let bench = Bench::new();
    let made = bench.put("a", b"1", "").read_json();
    let patch = |query: &str, body: &str| bench.json("PATCH", &format!("{OBJECTS}/a{query}"), body);
    let said = patch("?ifMetagenerationMatch=1", r#"{"metadata": {"b": "2", "c": "3"}}"#).read_json();
    assert_eq!((&said["metageneration"], &said["generation"]), (&"2".into(), &made["generation"]));
    assert_ne!(said["etag"], made["etag"]);
    assert_eq!(patch("?ifMetagenerationMatch=1", "{}").code, 412);
    let said = patch("", r#"{"metadata": {"b": null}}"#).read_json();
    assert_eq!(said["metadata"], serde_json::json!({ "c": "3" }));
}

#[test]
fn a_removed_object_is_gone_unless_its_bucket_keeps_versions() {
    let bench = Bench::new();
    let versions = r#"{"name": "kept", "versioning": {"enabled": true}}"#;
    assert_eq!(bench.json("POST", "/storage/v1/b?project=p", versions).code, 200);
    for (bucket, left) in [("films", 404), ("kept", 200)] {
        let path = format!("/upload/storage/v1/b/{bucket}/o?uploadType=media&name=a");
        let generation = generation(&bench.ask("POST", &path, &[], b"1").unwrap());
        let at = format!("/storage/v1/b/{bucket}/o/a");
        let delete = |query: &str| bench.ask("DELETE", &format!("{at}{query}"), &[], b"").unwrap().code;
        assert_eq!(delete("?ifGenerationMatch=7"), 412);
        assert_eq!(delete(&format!("?ifGenerationMatch={generation}")), 204);
        assert_eq!(bench.get(&at).code, 404, "{bucket}");
        let old = bench.get(&format!("{at}?alt=media&generation={generation}"));
        assert_eq!(old.code, left, "{bucket}");
    }
    let refused = bench.ask("DELETE", "/storage/v1/b/kept", &[], b"").unwrap();
    assert_eq!(refused.code, 409, "a bucket that is not empty stays");
    assert_eq!(bench.ask("DELETE", "/storage/v1/b/films", &[], b"").unwrap().code, 204);
}
