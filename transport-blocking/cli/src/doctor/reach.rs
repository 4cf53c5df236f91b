//! Whether a server responds at all, how it is reached, and what time it has.

use std::time::Instant;

use apus_blocking::{Sink, Source, Transport};
use apus_core::Error;
use apus_core::error::ExchangeErrorKind;
use apus_core::http::{Draft, Exchange, Reply};
use apus_core::now::Timestamp;
use apus_core::store::Connection;

use super::{Answer, Report};

/// Sends an unsigned request. Any response shows that the server is there; `None` means no response.
pub(super) fn try_server(
    report: &mut Report,
    transport: &Transport,
    connection: &Connection,
    draft: Box<Draft>,
) -> Option<Reply> {
    let is_tls = draft.is_https();
    let uri = draft.head.uri.clone();
    let place = format!(
        "{}://{}",
        uri.scheme_str().unwrap_or_default(),
        uri.authority().map_or("", |authority| authority.as_str())
    );
    let began = Instant::now();
    let now = apus_blocking::now();
    let done = transport.perform(Exchange::open(draft, now, 0), &Source::none(), &Sink::none());
    let (_, outcome) = done.into_parts();
    let reply = match outcome {
        Ok(reply) => reply,
        Err(error) => {
            let cause = error.exchange_error().map(|failure| failure.kind());
            let topic = match cause {
                Some(ExchangeErrorKind::Tls) => "TLS",
                Some(ExchangeErrorKind::Proxy) => "proxy",
                _ => "reachable",
            };
            report.broken(topic, place, &error);
            advise(report, connection, cause);
            return None;
        }
    };
    let mut detail = format!("{} ms", began.elapsed().as_millis());
    if let Some(server) = reply.header(&http::header::SERVER) {
        detail += &format!(", {}", server.chars().take(60).collect::<String>());
    }
    report.tell("reachable", place, Answer::Yes, detail);
    if let Some(proxy) = &connection.proxy {
        let what = format!("{}:{}", proxy.host(), proxy.port());
        report.tell("proxy", what, Answer::Yes, "the response arrived through the proxy");
    }
    match (is_tls, &connection.ca_file, connection.insecure) {
        (false, ..) => {
            let risk =
                "http is not encrypted: an attacker on the network can read and change all data";
            report.tell("TLS", "", Answer::No, risk);
        }
        (true, _, true) => {
            report.tell("TLS", "", Answer::Beware, "certificate verification is disabled");
        }
        (true, Some(file), _) => {
            report.tell("TLS", "", Answer::Yes, format!("the certificate is trusted by {file}"));
        }
        (true, None, _) => {
            report.tell(
                "TLS",
                "",
                Answer::Yes,
                "the certificate is trusted by the default CA certificates",
            );
        }
    }
    tell_clock(report, &reply, now.unix.as_secs());
    Some(reply)
}

/// Reports the option that helps when a server can't be reached.
fn advise(report: &mut Report, connection: &Connection, cause: Option<ExchangeErrorKind>) {
    if cause == Some(ExchangeErrorKind::Tls) && connection.ca_file.is_none() {
        report.tell(
            "",
            "",
            Answer::Untried,
            "for a server with a private CA, set the option …_cacert",
        );
    }
}

fn tell_clock(report: &mut Report, reply: &Reply, ours: u64) {
    let theirs = reply.header(&http::header::DATE).and_then(Timestamp::parse_http);
    let Some(theirs) = theirs else {
        return report.tell("clock", "", Answer::Untried, "the response has no date");
    };
    let ours = i64::try_from(ours).unwrap_or_default();
    let ahead = theirs.unix() - ours;
    let detail = match ahead {
        -2..=2 => "in sync with the local clock".to_owned(),
        ahead if ahead > 0 => format!("{ahead} s ahead of the local clock"),
        ahead => format!("{} s behind the local clock", -ahead),
    };
    // Amazon's limit is 15 minutes; a difference of a minute should be examined.
    let answer = if ahead.abs() < 60 { Answer::Yes } else { Answer::Beware };
    report.tell("clock", "", answer, detail);
}

/// Returns the short form of an error: status and code.
pub(super) fn short(error: &Error) -> String {
    match (error.status(), error.code()) {
        (Some(status), Some(code)) => format!("{} {code}", status.as_u16()),
        (Some(status), None) => status.as_u16().to_string(),
        (None, _) => error.to_string(),
    }
}
