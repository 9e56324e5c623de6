//! The client of the tables.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::interceptors::InterceptorContext;
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;

/// A client on the configuration `sdk` that repeats a plain write which met a transaction.
pub(crate) fn client(sdk: &SdkConfig) -> Client {
    Client::from_conf(Builder::from(sdk).retry_classifier(MetTransaction).build())
}

/// A plain write whose item a transaction held at that moment was not carried out; a moment later it may be. The SDK does not repeat
/// it by itself.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>, transaction conflict handling.
#[derive(Debug)]
struct MetTransaction;

impl ClassifyRetry for MetTransaction {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err).and_then(|error| error.as_operation_error());
        let code = error.and_then(|error| {
            let put = error.downcast_ref::<PutItemError>().and_then(ProvideErrorMetadata::code);
            let update = || error.downcast_ref::<UpdateItemError>().and_then(ProvideErrorMetadata::code);
            let delete = || error.downcast_ref::<DeleteItemError>().and_then(ProvideErrorMetadata::code);
            put.or_else(update).or_else(delete)
        });
        match code {
            // Not a transient error: for that the SDK would close the connection, too.
            Some("TransactionConflictException") => RetryAction::server_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "a write met a transaction"
    }
}
