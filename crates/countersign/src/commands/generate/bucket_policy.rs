//! `countersign generate bucket-policy`.

use clap::ValueEnum;
use serde_json::{Value, json};
use store_bucket::BucketPlace;

use crate::console::hand_out;
use crate::failure::Failure;

/// Write what a bucket has to allow, in the words of Amazon S3
///
/// Readers may list the bucket as well as read it: otherwise it answers 403 where an object is missing,
/// and clients could not tell the newest root. Uploads belong in another bucket for that reason, or have
/// to be private by other means.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the store is, or will be
    #[arg(value_name = "s3://BUCKET/PREFIX")]
    place: BucketPlace,

    /// For whom
    #[arg(long = "for", value_name = "WHOM", default_value = "readers")]
    #[arg(env = "COUNTERSIGN_BUCKET_POLICY_FOR")]
    whom: Whom,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Whom {
    /// Everybody who installs: the policy of the bucket
    Readers,
    /// The signer: the policy of its role
    Signer,
    /// Nobody: the rule that removes what uploads cut short have left
    Lifecycle,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut text = serde_json::to_vec_pretty(&args.policy()).unwrap_or_default();
    text.push(b'\n');
    hand_out(&text)
}

impl Args {
    fn policy(&self) -> Value {
        let bucket = format!("arn:aws:s3:::{}", self.place.bucket());
        let prefix = match self.place.prefix() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let below = |folder: &str| format!("{bucket}/{prefix}{folder}*");
        match self.whom {
            Whom::Readers => {
                let folders = ["metadata/", "targets/", "packages/", "simple/"].map(below);
                json!({
                    "Version": "2012-10-17",
                    "Statement": [
                        statement("Read", &json!(["s3:GetObject"]), &json!(folders), true),
                        statement("NotFound", &json!(["s3:ListBucket"]), &json!([bucket]), true),
                    ]
                })
            }
            Whom::Signer => {
                let write = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];
                let write = [&write[..], &["s3:AbortMultipartUpload"]].concat();
                json!({
                    "Version": "2012-10-17",
                    "Statement": [
                        statement("Write", &json!(write), &json!([below("")]), false),
                        statement("List", &json!(["s3:ListBucket"]), &json!([bucket]), false),
                    ]
                })
            }
            Whom::Lifecycle => json!({
                "Rules": [{
                    "ID": "uploads-cut-short",
                    "Status": "Enabled",
                    "Filter": {"Prefix": prefix},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}
                }]
            }),
        }
    }
}

fn statement(id: &str, actions: &Value, resources: &Value, is_public: bool) -> Value {
    let mut statement = json!({
        "Sid": id,
        "Effect": "Allow",
        "Action": actions,
        "Resource": resources,
    });
    if is_public {
        statement["Principal"] = json!("*");
    }
    statement
}
