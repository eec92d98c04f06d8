//! Who answers for a path: the search of TUF 5.6.7 over everything that was read, at the price of
//! arithmetic, so that it can be done for every target. `placement` holds it against the search
//! that clients make.

use std::collections::BTreeSet;

use metadata::{Role, Sha256, TargetPath};

use crate::reading::Reading;

/// Whom clients ask, and where that ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Nodes in the order asked.
    pub(crate) nodes: Vec<usize>,
    pub(crate) end: End,
}

/// How a search ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At the node asked last, which lists the path.
    Found(usize),
    /// Nobody asked lists it.
    NotFound,
    /// At a role that could not be had or believed, or beyond the limit of roles: every client
    /// fails here, and the role is a finding of its own.
    Failed,
}

impl Asked {
    /// The roles asked.
    pub(crate) fn roles(&self, reading: &Reading) -> Vec<Role> {
        let role = |node: &usize| reading.nodes[*node].role.clone();
        self.nodes.iter().map(role).collect()
    }
}

impl Reading {
    /// Asks for `path`; `lists` says which nodes list it, `limit` how many delegated roles a client
    /// visits at most.
    pub(crate) fn ask(
        &self,
        path: &TargetPath,
        lists: impl Fn(usize) -> bool,
        limit: usize,
    ) -> Asked {
        let search = Search {
            reading: self,
            path,
            hash: path.hash(),
            lists,
            limit,
        };
        let (mut nodes, mut visited) = (Vec::new(), BTreeSet::new());
        let end = match search.enter(0, &mut nodes, &mut visited) {
            Flow::End(end) => end,
            Flow::GoOn => End::NotFound,
        };
        Asked { nodes, end }
    }
}

struct Search<'a, L> {
    reading: &'a Reading,
    path: &'a TargetPath,
    hash: Sha256,
    lists: L,
    limit: usize,
}

enum Flow {
    GoOn,
    End(End),
}

impl<L: Fn(usize) -> bool> Search<'_, L> {
    /// Recurses at most `limit` deep, which is a client's own limit.
    fn enter(&self, node: usize, nodes: &mut Vec<usize>, visited: &mut BTreeSet<usize>) -> Flow {
        nodes.push(node);
        if (self.lists)(node) {
            return Flow::End(End::Found(node));
        }
        let Some(document) = &self.reading.nodes[node].document else {
            return Flow::GoOn;
        };
        for edge in document.edges(self.path, &self.hash) {
            // TUF 5.6.7.1: a role visited before is skipped, which also ends cycles.
            let again = self
                .reading
                .node(edge.name())
                .is_some_and(|known| visited.contains(&known));
            if again {
                continue;
            }
            let Some(next) = self.reading.follow(node, edge.name()) else {
                return Flow::End(End::Failed);
            };
            if visited.len() >= self.limit {
                return Flow::End(End::Failed);
            }
            visited.insert(next);
            if let Flow::End(end) = self.enter(next, nodes, visited) {
                return Flow::End(end);
            }
            if edge.is_terminating() {
                return Flow::End(End::NotFound);
            }
        }
        Flow::GoOn
    }
}
