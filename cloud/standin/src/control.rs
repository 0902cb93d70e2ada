//! Requests under `/standin/`, which no service of Google has -> what befalls the others, and what was asked. For those who
//! run the stand-in as a program.

use crate::answer::{Body, Refusal, told};
use crate::call::Arriving;
use crate::mischief::Written;
use crate::server::Cloud;
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub(crate) async fn answer(cloud: &Cloud, path: &str, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let verb = request.method().clone();
    let body = Arriving::new(request.into_body(), None).all().await?;
    match (verb.as_str(), path) {
        ("PUT", "faults") => cloud.mischief.written(read::<Vec<Written>>(&body)?),
        ("PUT", "lists-missed") => cloud.list_late(read(&body)?),
        ("PUT", "images") => {
            for (image, words) in read::<BTreeMap<String, Vec<String>>>(&body)? {
                cloud.machine.image(&image, &words.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
        ("PUT", "quota") => cloud.vertex.say_quota(read(&body)?),
        ("PUT", "stock-outs") => cloud.vertex.stock_out(read(&body)?),
        ("PUT", "preempted") => {
            if !cloud.vertex.preempt(&read::<String>(&body)?) {
                return Err(Refusal::new(404, "no custom job of that name runs"));
            }
        }
        ("GET", "asked") => {
            let asked = cloud.mischief.asked();
            let asked: Vec<Json> = asked.iter().map(|a| json!({ "method": a.method, "about": a.about })).collect();
            return Ok(told(&asked.into()));
        }
        _ => {
            let says = "there are PUT faults, lists-missed, images, quota, stock-outs and preempted, and GET asked";
            return Err(Refusal::new(404, says));
        }
    }
    Ok(told(&json!({})))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::invalid(error.to_string()))
}
