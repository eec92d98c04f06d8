//! Files that a project's developers sign and its page does not show. The page is the index's: whoever
//! holds the index's online key can leave a file out of it, such as the one that mends a flaw.

use std::collections::BTreeSet;

use index::DistributionFilename;
use metadata::TargetPath;
use trust::{Answer, VerifiedTarget};

use crate::{ProjectPage, Session};

/// Names that are no distribution's, one for each pattern that roles are delegated by: what is asked for
/// them is asked for all files of the kind.
pub(crate) const PROBES: [&str; 3] = [".whl", ".tar.gz", ".zip"];

impl Session {
    /// The files of a project that a role delegated by name vouches for, and that its page does not
    /// list, in the order of their paths. None for a project that is left to the hashed bins.
    pub async fn hidden(&self, page: &ProjectPage) -> Vec<VerifiedTarget> {
        let project = page.page().project();
        let folder = format!("packages/{}/{project}/", project.shard());
        let mut listed = BTreeSet::new();
        for probe in PROBES {
            let Ok(probe) = TargetPath::parse(format!("{folder}{probe}")) else {
                continue;
            };
            for role in self.asked_before_bins(&probe).await {
                let all = role.targets();
                let first = all.partition_point(|(path, _)| path.as_str() < folder.as_str());
                let ours = all[first..]
                    .iter()
                    .map(|(path, _)| path)
                    .take_while(|path| path.as_str().starts_with(&folder));
                listed.extend(ours.cloned());
            }
        }
        let mut hidden = Vec::new();
        for path in listed {
            let name = path.file_name();
            let is_file = DistributionFilename::parse_for(name, project).is_ok();
            if !is_file || page.page().file(name).is_some() {
                continue;
            }
            // A role that lists a path need not be the one that is heard on it.
            if let Answer::Found(target) = self.find(&path).await {
                hidden.push(target);
            }
        }
        hidden
    }
}
