//! Requests that Google's definitions do not allow, and those that nobody does here: neither is passed over.

use crate::{Bench, OBJECTS, UPLOAD};

const RELATED: &str = "multipart/related; boundary=b";

/// An upload with these settings.
fn described(settings: &str) -> String {
    format!("--b\r\nContent-Type: application/json\r\n\r\n{settings}\r\n--b\r\n\r\nbytes\r\n--b--")
}

#[test]
fn what_the_definitions_do_not_know_is_refused_by_name() {
    let bench = Bench::new();
    let upload = format!("{UPLOAD}?uploadType=multipart&name=a");
    let cases = [
        ("GET", format!("{OBJECTS}?prefx=a"), String::new(), "Unknown name \"prefx\""),
        ("GET", format!("{OBJECTS}?maxResults=many"), String::new(), "Invalid value (uint32), \"many\""),
        ("GET", format!("{OBJECTS}?versions=yes"), String::new(), "Invalid value (boolean), \"yes\""),
        ("GET", format!("{OBJECTS}?projection=most"), String::new(), "it is none of full, noAcl"),
        ("GET", format!("{OBJECTS}?prefix=a&prefix=b"), String::new(), "\"prefix\" is not repeated"),
        ("GET", "/storage/v1/b".into(), String::new(), "Required parameter: project"),
        ("POST", format!("{upload}&ifGenerationMatch=x"), described("{}"), "Invalid value (int64), \"x\""),
        ("POST", upload.clone(), described(r#"{"contentTyp": "a"}"#), "Unknown name \"contentTyp\""),
        ("POST", upload.clone(), described(r#"{"contentType": 1}"#), "Invalid value at 'contentType'"),
        ("POST", upload.clone(), described(r#"{"metadata": {"a": 1}}"#), "Invalid value at 'metadata.a'"),
        ("POST", upload.clone(), described(r#"{"customTime": "today"}"#), "Invalid value (date-time), \"today\""),
        ("POST", upload.clone(), described("[]"), "Invalid value at ''"),
        ("POST", upload, described("{"), "Invalid JSON payload received."),
    ];
    for (verb, path, body, expected) in cases {
        let said = bench.ask(verb, &path, &[("Content-Type", RELATED)], body.as_bytes()).unwrap();
        let (message, reason) = said.error();
        assert_eq!((said.code, reason.as_str()), (400, "invalid"), "{path}: {message}");
        assert!(message.contains(expected), "{path}: {message}");
    }
    assert!(bench.standin.objects("films").is_empty(), "nothing was done");
}

#[test]
fn every_problem_of_a_request_is_told_at_once() {
    let bench = Bench::new();
    let body = described(r#"{"contentTyp": "a", "metadata": 1, "size": true}"#);
    let path = format!("{UPLOAD}?uploadType=multipart&name=a");
    let (message, _) = bench.ask("POST", &path, &[("Content-Type", RELATED)], body.as_bytes()).unwrap().error();
    for field in ["contentTyp", "metadata", "size"] {
        assert!(message.contains(field), "{message}");
    }
}

#[test]
fn a_field_that_a_method_needs_is_missed() {
    let bench = Bench::new();
    let said = bench.json("POST", "/storage/v1/b?project=p", "{}");
    assert_eq!((said.code, said.error().0.as_str()), (400, "Field 'name' is required."));
    assert_eq!(bench.json("POST", "/storage/v1/b?project=p", r#"{"name": "results"}"#).code, 200);
    assert_eq!(bench.get("/storage/v1/b/results").read_json()["name"], "results");
}

#[test]
fn what_google_does_and_the_stand_in_does_not_is_said_to_be_so() {
    let bench = Bench::new();
    bench.put("a", b"1", "");
    let cases = [
        ("GET", format!("{OBJECTS}?matchGlob=*"), "", "the parameter `matchGlob` of storage.objects.list"),
        ("GET", format!("{OBJECTS}/a?fields=size"), "", "the parameter `fields` of storage.objects.get"),
        ("PATCH", format!("{OBJECTS}/a"), r#"{"temporaryHold": true}"#, "the field `temporaryHold` of an object"),
        ("POST", format!("{OBJECTS}/a/rewriteTo/b/films/o/b"), "", "storage.objects.rewrite"),
    ];
    for (verb, path, body, expected) in cases {
        let said = bench.json(verb, &path, body);
        assert_eq!(said.code, 501, "{path}");
        assert!(said.error().0.ends_with(expected), "{path}: {:?}", said.error());
    }
    assert_eq!(bench.get("/storage/v1/nothing").code, 404);
}
