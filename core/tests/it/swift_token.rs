//! An expired token is renewed in every place where the server refuses it.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use apus_core::Now;
use apus_core::contract::Operation;
use apus_core::keystone::{Identity, Login, Scope, Session, SessionOptions};
use apus_core::machine::{Auth, Call, Pump, Turn};
use apus_core::swift::{
    BulkDelete, Config, DeleteSlo, GetObject, ObjectSegment, Prefix, PutDlo, PutObject, PutSlo,
    Segment, Service,
};

const LATE: &str = r#"  {"Response Status": "400 Bad Request", "Response Body": "",
    "Number Deleted": 0, "Number Not Found": 0, "Errors": [["/c/s", "401 Unauthorized"]]}"#;
const DONE: &str = r#"  {"Response Status": "200 OK", "Response Body": "", "Number Deleted": 1,
    "Number Not Found": 0, "Errors": []}"#;

/// Runs one call: every login gives the next token, every other request the next answer. Gives the
/// token that each request came with, and whether the call succeeded.
fn run<O: Operation<Service = Service>>(
    operation: O,
    answers: &[(u16, &str)],
) -> (Vec<String>, Result<(), apus_core::Error>) {
    let (requests, result) = requests(operation, answers);
    (requests.into_iter().map(|(_, token)| token).collect(), result)
}

/// The same, with the method of each request.
fn requests<O: Operation<Service = Service>>(
    operation: O,
    answers: &[(u16, &str)],
) -> (Vec<(http::Method, String)>, Result<(), apus_core::Error>) {
    let login =
        Login::new("http://127.0.0.1/auth/v1.0", Identity::v1("a:u", "key"), Scope::Unstated);
    let auth = Auth::new(Session::new(login.unwrap(), SessionOptions::default()));
    let service = Service::new(Config::default()).unwrap();
    let mut pump =
        Pump::new(Call::new(operation, service.into(), 1), vec![auth], Waker::noop().clone());
    let mut answers = VecDeque::from(answers.to_vec());
    let mut now = Now::new(Duration::ZERO, Duration::from_secs(1_767_322_800));
    let (mut tokens, mut logins) = (Vec::new(), 0);
    loop {
        match pump.turn(now) {
            Turn::Launch(mut exchange) => {
                let head = exchange.request().unwrap();
                let mut response = http::Response::builder();
                let mut body = "";
                if head.uri.path() == "/auth/v1.0" {
                    logins += 1;
                    response = response
                        .status(200)
                        .header("x-storage-url", "http://127.0.0.1/v1/AUTH_a")
                        .header("x-auth-token", format!("token {logins}"));
                } else {
                    assert!(head.uri.to_string().starts_with("http://127.0.0.1/v1/AUTH_a"));
                    let token = head.headers["x-auth-token"].to_str().unwrap().to_owned();
                    tokens.push((head.method.clone(), token));
                    let (status, text) = answers.pop_front().expect("one request too many");
                    (response, body) = (response.status(status), text);
                }
                let head = response.body(()).unwrap().into_parts().0;
                let mut receiving = exchange.respond(head);
                receiving.push(body.as_bytes()).unwrap();
                pump.complete(now, receiving.finish(None));
            }
            Turn::Park(wait) => {
                now = now.after(wait.expect("something to wait for").until.saturating_sub(now.tick))
            }
            Turn::Done(result) => return (tokens, result.map(drop)),
        }
    }
}

fn put_slo(heartbeat: bool) -> PutSlo {
    let segments = vec![Segment::Object(ObjectSegment::new("c", "s"))];
    PutSlo { heartbeat, ..PutSlo::new("c", "o", segments) }
}

#[test]
fn in_the_status_and_in_the_body_of_a_success() {
    let twice = ["token 1", "token 2"];
    let (tokens, result) = run(GetObject::new("c", "o"), &[(401, ""), (200, "")]);
    assert_eq!(tokens, twice);
    result.unwrap();
    for (tokens, result) in [
        run(put_slo(true), &[(202, LATE), (202, DONE)]),
        run(put_slo(false), &[(400, r#"{"Errors": [["/c/s", "401 Unauthorized"]]}"#), (201, "")]),
        run(BulkDelete::objects("c", ["s"]), &[(200, LATE), (200, DONE)]),
        run(DeleteSlo::new("c", "o"), &[(200, LATE), (200, DONE)]),
    ] {
        assert_eq!(tokens, twice);
        result.unwrap();
    }
}

#[test]
fn once_for_each_request() {
    let (tokens, result) = run(put_slo(true), &[(202, LATE), (202, LATE)]);
    assert_eq!(tokens.len(), 2);
    assert_eq!(result.unwrap_err().status().unwrap(), 401);
}

#[test]
fn an_object_that_says_so_is_not_the_server() {
    let (tokens, result) = run(GetObject::new("c", "o"), &[(200, LATE)]);
    assert_eq!(tokens, ["token 1"]);
    result.unwrap();
}

/// Gives the methods of the requests with the numbers of their tokens, and whether the call succeeded.
fn told<O: Operation<Service = Service>>(
    operation: O,
    statuses: &[u16],
) -> (String, Result<(), apus_core::Error>) {
    let answers: Vec<_> = statuses.iter().map(|status| (*status, "")).collect();
    let (requests, result) = requests(operation, &answers);
    let said = requests.iter().map(|(method, token)| format!("{method}{}", &token[5..]));
    (said.collect::<Vec<_>>().join(", "), result)
}

/// A Swift may ignore `If-None-Match` (Ceph's gateway does), and another client may have written the
/// object before the new token was there.
#[test]
fn a_repetition_with_a_new_token_has_a_look_of_its_own() {
    fn check<O: Operation<Service = Service> + Clone>(operation: &O) {
        let (said, result) = told(operation.clone(), &[500, 404, 401, 404, 201]);
        assert_eq!(said, "PUT 1, HEAD 1, PUT 1, HEAD 2, PUT 2");
        result.unwrap();
        // Somebody's object, of which nothing shows whose it is.
        let (said, result) = told(operation.clone(), &[500, 404, 401, 200]);
        assert_eq!(said, "PUT 1, HEAD 1, PUT 1, HEAD 2");
        assert!(result.unwrap_err().outcome_unknown());
        // A server that refuses the new token as well.
        let (said, result) = told(operation.clone(), &[500, 404, 401, 404, 401, 404]);
        assert_eq!(said, "PUT 1, HEAD 1, PUT 1, HEAD 2, PUT 2, HEAD 2");
        assert_eq!(result.unwrap_err().status().unwrap(), 401);
        // The first attempt replaces nothing that a look has missed: it has had none.
        let (said, result) = told(operation.clone(), &[401, 201]);
        assert_eq!(said, "PUT 1, PUT 2");
        result.unwrap();
    }
    let put = PutObject { if_absent: true, ..PutObject::new("c", "o", "hello") };
    let slo = PutSlo { if_absent: true, ..put_slo(false) };
    let dlo = PutDlo { if_absent: true, ..PutDlo::new("c", "o", Prefix::new("c", "o/")) };
    check(&put);
    check(&slo);
    check(&dlo);
}
