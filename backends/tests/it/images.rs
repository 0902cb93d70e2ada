//! Images of jobs, under their digests.

use super::bench::{Bench, CLOUD_RUN, Service, VERTEX, attempt};
use serde_json::json;

const TAGGED: &str = "us-docker.pkg.dev/films/pipe/worker:v1";
const SERVICES: [&Service; 2] = [&CLOUD_RUN, &VERTEX];

#[test]
fn a_job_is_of_the_image_that_its_tag_stood_for_when_the_engine_first_asked() {
    for service in SERVICES {
        let bench = Bench::of(service, "true", &json!({ "image": TAGGED }));
        bench.image(TAGGED, "sleep 60");
        for name in ["one", "two"] {
            let job = bench.submit(&attempt(name)).unwrap();
            let told = bench.told(&job.0).unwrap().to_string();
            assert!(told.contains("us-docker.pkg.dev/films/pipe/worker@sha256:") && !told.contains(TAGGED), "{told}");
            bench.until(&job, |_| bench.begun(&attempt(name)) == 1);
            bench.wait(bench.place.cancel(&job)).unwrap();
        }
    }
}

#[test]
fn an_image_whose_registry_tells_nothing_is_left_to_the_service() {
    for service in SERVICES {
        let bench = Bench::of(service, "true", &json!({ "image": "us-docker.pkg.dev/films/pipe/nothing:v1" }));
        let job = bench.submit(&attempt("one")).unwrap();
        assert_eq!(bench.end(&job).unwrap().code, "no_image");
    }
}
