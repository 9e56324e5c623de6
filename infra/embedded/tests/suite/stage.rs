//! The services on a folder of their own, with a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use cloud::queue::WakeUps;
use cloud::schedules::Schedules;
use cloud::texts::TextMessages;
use cloud::vault::Vault;
use domain::id::{AttemptId, ConnectionId, PostId, UserId};
use domain::wake_up::WakeUp;
use edge::clock::Clock;
use embedded::{Aws, CallInfo, DEAD_LETTERS, Fault, WAKE_UPS, queue_arn, queue_url};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

pub(crate) struct Stage {
    pub(crate) aws: Aws,
    millis: Arc<AtomicI64>,
    dir: TempDir,
}

impl Stage {
    pub(crate) fn open() -> Self {
        let start: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let millis = Arc::new(AtomicI64::new(start.as_millisecond()));
        let dir = tempfile::tempdir().unwrap();
        let aws = Aws::open(dir.path(), clock(&millis)).unwrap();
        Self { aws, millis, dir }
    }

    /// A new process on the same folder.
    pub(crate) fn restarted(self) -> Self {
        drop(self.aws);
        let aws = Aws::open(self.dir.path(), clock(&self.millis)).unwrap();
        Self { aws, millis: self.millis, dir: self.dir }
    }

    pub(crate) fn now(&self) -> Timestamp {
        clock(&self.millis).now()
    }

    pub(crate) fn pass(&self, time: SignedDuration) {
        self.millis.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.aws.sdk_config())
    }

    pub(crate) fn scheduler(&self) -> aws_sdk_scheduler::Client {
        aws_sdk_scheduler::Client::new(&self.aws.sdk_config())
    }

    pub(crate) fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.aws.sdk_config())
    }

    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.aws.sdk_config())
    }

    pub(crate) fn wake_ups(&self) -> WakeUps {
        WakeUps { client: self.sqs(), url: queue_url(WAKE_UPS) }
    }

    pub(crate) fn schedules(&self) -> Schedules {
        Schedules {
            client: self.scheduler(),
            group: "postledger".to_owned(),
            role_arn: "arn:aws:iam::000000000000:role/wake".to_owned(),
            queue_arn: queue_arn(WAKE_UPS),
            dead_letter_arn: queue_arn(DEAD_LETTERS),
        }
    }

    pub(crate) fn vault(&self) -> Vault {
        Vault::new(self.secrets(), "postledger")
    }

    pub(crate) fn texts(&self) -> TextMessages {
        TextMessages { client: aws_sdk_sns::Client::new(&self.aws.sdk_config()) }
    }

    /// Breaks the calls of one operation.
    pub(crate) fn break_calls(&self, operation: &'static str, fault: Fault) {
        self.aws.on_call(Box::new(move |call: &CallInfo| (call.operation == operation).then_some(fault)));
    }

    pub(crate) fn heal(&self) {
        self.aws.on_call(Box::new(|_| None));
    }

    /// Receives up to ten messages of `queue`: body and receipt.
    pub(crate) async fn receive(&self, queue: &str) -> Vec<(String, String)> {
        let request = self.sqs().receive_message().queue_url(queue_url(queue)).max_number_of_messages(10);
        let messages = request.send().await.unwrap().messages.unwrap_or_default();
        messages.into_iter().map(|message| (message.body.unwrap(), message.receipt_handle.unwrap())).collect()
    }
}

fn clock(millis: &Arc<AtomicI64>) -> Clock {
    let millis = Arc::clone(millis);
    Clock::from_fn(move || Timestamp::from_millisecond(millis.load(Ordering::SeqCst)).unwrap())
}

pub(crate) fn post(number: u8) -> PostId {
    PostId::new(Timestamp::UNIX_EPOCH, [number; 10])
}

pub(crate) fn user() -> UserId {
    UserId::new(Timestamp::UNIX_EPOCH, [7; 10])
}

pub(crate) fn attempt(number: u8) -> AttemptId {
    AttemptId::new(Timestamp::UNIX_EPOCH, [number; 10])
}

pub(crate) fn connection() -> ConnectionId {
    ConnectionId::new(Timestamp::UNIX_EPOCH, [9; 10])
}

pub(crate) fn wake_up(number: u8) -> WakeUp {
    WakeUp { post_id: post(number), user_id: user(), version: 1 }
}

pub(crate) fn secs(secs: i64) -> SignedDuration {
    SignedDuration::from_secs(secs)
}
