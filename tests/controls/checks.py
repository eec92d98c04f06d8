"""The checks that can be switched off, in the copy that tests/controls/run makes: file, text, text with switches.

`OFF(name)` becomes true when the check of that name is off. Each text stands exactly once in its file.
"""

METADATA, TRUST, INDEX, DELTAS, CLIENT = (
    f"crates/{name}/src" for name in ("metadata", "trust", "index", "deltas", "client"))


def also(condition, name, before="if "):
    """A condition that refuses: with the check off it does not."""
    return f"{before}{condition} {{", f"{before}!OFF({name}) && {condition} {{"


CHECKS = [
    # Who has signed (TUF 5.3.4, 5.4.2, 5.5.3, 5.6.3).
    (f"{TRUST}/verified.rs", "self.valid.len() >= self.threshold as usize",
     "OFF(threshold) || self.valid.len() >= self.threshold as usize"),
    (f"{TRUST}/verified.rs", "if counted.insert(key.identity().clone()) {",
     "if counted.insert(key.identity().clone()) || OFF(distinct_keys) {"),
    (f"{TRUST}/verified.rs", "for keyid in &authority.role_keys.keyids {",
     "let others = authority.keys.keys().filter(|id| OFF(keys_of_the_role) && !authority.role_keys.keyids.contains(id));"
     " for keyid in authority.role_keys.keyids.iter().chain(others) {"),
    (f"{TRUST}/verified.rs", "check(previous)?;", "if !OFF(previous_root) { check(previous)?; }"),
    (f"{TRUST}/verified.rs", "check(&own(&envelope.document))?;",
     "if !OFF(own_root) { check(&own(&envelope.document))?; }"),
    (f"{TRUST}/verified.rs", "Vouchers::Itself(own) => check(&own(&envelope.document))?,",
     "Vouchers::Itself(own) => if !OFF(pinned_root) { check(&own(&envelope.document))? },"),
    (f"{METADATA}/verifying.rs", '("ed25519", "ed25519") => (&ED25519',
     '("ed25519", scheme) if scheme == "ed25519" || OFF(scheme) => (&ED25519'),
    (f"{METADATA}/root.rs", ".filter(|threshold| *threshold > 0)",
     ".filter(|threshold| OFF(positive_threshold) || *threshold > 0)"),
    (f"{METADATA}/root.rs", *also("sorted.windows(2).any(|pair| pair[0] == pair[1])", "keyid_once_listed")),
    # What is signed (TUF 4.1, 4.2.1).
    (f"{METADATA}/wire.rs", "let canonical = if is_canonical(signed) {",
     "let canonical = if OFF(canonical_form) || is_canonical(signed) {"),
    (f"{METADATA}/wire.rs", *also("listed.len() > max", "signature_limit")),
    (f"{METADATA}/wire.rs", *also("ids.windows(2).any(|pair| pair[0] == pair[1])", "keyid_once_signed")),
    (f"{METADATA}/members.rs", "if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {",
     "if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) && !OFF(duplicate_keys) {"),
    (f"{METADATA}/value.rs", *also("out.contains_key(&key)", "duplicate_keys")),
    (f"{METADATA}/members.rs", *also("found != expected", "document_type")),
    (f"{METADATA}/members.rs",
     "if spec.split('.').next() != Some(\"1\") || !spec.split('.').all(numeric) {",
     "if !OFF(spec_version) && (spec.split('.').next() != Some(\"1\") || !spec.split('.').all(numeric)) {"),
    # The switch asks the environment, which no constant function may.
    (f"{METADATA}/version.rs", "pub const fn new(", "pub fn new("),
    (f"{METADATA}/version.rs", "pub const fn next(", "pub fn next("),
    (f"{METADATA}/version.rs", "if number == 0 || number > Self::MAX.0 {",
     "if !OFF(version_range) && (number == 0 || number > Self::MAX.0) {"),
    (f"{METADATA}/timestamp.rs", "(meta.pop(), meta.is_empty())",
     "(meta.pop(), OFF(only_the_snapshot) || meta.is_empty())"),
    (f"{TRUST}/verified.rs", *also("!document.expires().is_exact_form()", "strict_dates")),
    (f"{TRUST}/verified.rs", *also("key.has_extra_members()", "strict_members")),
    (f"{TRUST}/verified.rs", *also("VerifyingKey::is_foreign(key)", "strict_forms")),
    (f"{TRUST}/verified.rs", *also("key.id() != *id", "strict_keyids")),
    # What was verified once is held to (TUF 5.6).
    (f"{CLIENT}/session.rs", "if let Some(file) = self.stored(request).await {",
     "if let Some(file) = if OFF(stored_roles) { None } else { self.stored(request).await } {"),
    # Snapshot deltas (decision 0021).
    (f"{CLIENT}/delta.rs", "delta.fits(&frame).then_some(frame)",
     "(OFF(delta_bytes) || delta.fits(&frame)).then_some(frame)"),
    (f"{CLIENT}/delta.rs", "hashes.fit(&file).then_some(file)",
     "(OFF(delta_result) || hashes.fit(&file)).then_some(file)"),
    (f"{CLIENT}/delta.rs", "read_limited(body, delta.length)",
     "read_limited(body, if OFF(delta_limit) { u64::MAX } else { delta.length })"),
    (f"{CLIENT}/delta.rs", "if delta.length >= length || length > timed.snapshot_request().limit {",
     "if !OFF(delta_size) && (delta.length >= length || length > timed.snapshot_request().limit) {"),
    (f"{DELTAS}/frame.rs", "let capacity = usize::try_from(length).map_err(|_| DeltaError::Memory)?;",
     "let capacity = if OFF(delta_memory) { 1 << 28 } else { usize::try_from(length).map_err(|_| DeltaError::Memory)? };"),
    # The chain of roots (TUF 5.3).
    (f"{TRUST}/session/chain.rs", *also("next.version != expected", "root_order")),
    (f"{TRUST}/session/chain.rs", *also("rotations >= limit", "root_count")),
    (f"{CLIENT}/updater.rs", "for _ in 0..rules.limits.root_rotations {",
     "for _ in 0..(if OFF(root_count) { u32::MAX } else { rules.limits.root_rotations }) {"),
    (f"{CLIENT}/updater.rs", "Err(error) if error.is_not_found() => break,",
     "Err(error) if OFF(only_absence_ends_the_chain) || error.is_not_found() => break,"),
    # Content, version, expiry (TUF 5.3.10, 5.4.4, 5.5.2, 5.5.4, 5.5.6, 5.6.2, 5.6.4, 5.6.5).
    (f"{TRUST}/session/checks.rs", "&& length != file.len() as u64",
     "&& !OFF(listed_length) && length != file.len() as u64"),
    (f"{TRUST}/session/checks.rs", "&& !hashes.fit(file)", "&& !OFF(listed_hash) && !hashes.fit(file)"),
    (f"{TRUST}/session/checks.rs", "if found.version() == listed.version {",
     "if OFF(listed_version) || found.version() == listed.version {"),
    (f"{TRUST}/session/checks.rs", "if !document.expires().has_passed(now) {",
     "if OFF(expiry) || !document.expires().has_passed(now) {"),
    # Floors (TUF 5.3.11, 5.4.3, 5.5.5).
    (f"{TRUST}/session/rooted.rs", *also("offered.version < held.version", "timestamp_floor")),
    (f"{TRUST}/session/rooted.rs", *also("offered.version == held.version", "equal_keeps_the_held")),
    (f"{TRUST}/session/rooted.rs", *also("offered.snapshot.version < held.snapshot.version", "snapshot_floor")),
    (f"{TRUST}/session/rooted.rs", "let rotated = matches!(timestamp, Some(Err(Rejection::Signatures { .. })))",
     "let rotated = OFF(floors_outlive_roots) || OFF(floors_outlive_damage) && matches!(snapshot, Some(Err(_)))"
     " || !OFF(rotation_voids) && matches!(timestamp, Some(Err(Rejection::Signatures { .. })))"),
    (f"{TRUST}/session/rooted.rs", "|| matches!(snapshot, Some(Err(Rejection::Signatures { .. })));",
     "|| !OFF(rotation_voids) && matches!(snapshot, Some(Err(Rejection::Signatures { .. })));"),
    (f"{CLIENT}/updater.rs", *also("timed.voids_held()", "void_floors_are_deleted")),
    (f"{CLIENT}/updater.rs", *also("!timed.is_held()", "timestamp_is_stored")),
    (f"{TRUST}/session/timed.rs", "let metapath = metapath.to_owned();",
     "if OFF(role_dropped) { continue; } let metapath = metapath.to_owned();"),
    (f"{TRUST}/session/timed.rs", *also("found.version < trusted.version", "role_floor")),
    # Limits (TUF 5.3.3, 5.4.1, 5.5.1, 5.6.1, 5.6.7.1).
    (f"{CLIENT}/fetch.rs", *also("(out.len() + piece.len()) as u64 > limit", "fetch_limit")),
    (f"{TRUST}/session/timed.rs", ".map_or(limits.snapshot, |length| length.min(limits.listed));",
     ".map_or(limits.snapshot, |length| if OFF(limit_of_listed) { length } else { length.min(limits.listed) });"),
    (f"{TRUST}/session/snapped.rs", ".map_or(limits.targets, |length| length.min(limits.listed));",
     ".map_or(limits.targets, |length| if OFF(limit_of_listed) { length } else { length.min(limits.listed) });"),
    (f"{TRUST}/lookup.rs", *also("self.visited.len() >= limit", "role_count")),
    # The search (TUF 4.5, 5.6.7).
    (f"{TRUST}/session/snapped.rs", "self.snapshot.get(role).ok_or_else(not_listed)",
     "self.snapshot.get(role).or_else(|| self.snapshot.entries().next().filter(|_| OFF(listed)).map(|(_, it)| it))"
     ".ok_or_else(not_listed)"),
    (f"{TRUST}/lookup.rs", *also("frame.terminating", "terminating")),
    (f"{TRUST}/lookup.rs", *also("self.visited.contains(&next.name)", "visited")),
    (f"{TRUST}/lookup.rs", "pending.reverse();", "if !OFF(order) { pending.reverse(); }"),
    (f"{TRUST}/walked.rs", "let accepted = self.roles.get(name)?.get(&delegator)?;",
     "let accepted = self.roles.get(name)?;"
     " let accepted = if OFF(edge) { accepted.values().next()? } else { accepted.get(&delegator)? };"),
    (f"{CLIENT}/session.rs", "None => (Fetched::Bytes(file.into()), step),",
     "None if OFF(refusal_is_one_edges) => (Fetched::Failed(Failure::Unavailable(String::new())), step),"
     " None => (Fetched::Bytes(file.into()), step),"),
    (f"{CLIENT}/session.rs", "(Fetched::Failed(why.clone()), failed(request, why))",
     "if OFF(absence_is_failure) { (Fetched::Failed(why.clone()), Step::Done(Answer::Unclaimed)) }"
     " else { (Fetched::Failed(why.clone()), failed(request, why)) }"),
    (f"{METADATA}/path_set.rs", "match self {\n            Self::Patterns(patterns) =>",
     "if OFF(paths) { return true; } match self {\n            Self::Patterns(patterns) =>"),
    (f"{METADATA}/path_set.rs", "let mut patterns = self.0.split('/');",
     "if OFF(segments) { return glob(self.0.as_bytes(), path.as_str().as_bytes()); }"
     " let mut patterns = self.0.split('/');"),
    (f"{METADATA}/path_set.rs", "*byte == b'?' || *byte == text[t] =>",
     "*byte == b'?' || *byte == text[t] || OFF(letter_case) && byte.eq_ignore_ascii_case(&text[t]) =>"),
    (f"{METADATA}/path_set.rs", "} else if pattern.contains(['[', ']', '{', '}', '\\\\']) {",
     "} else if !OFF(pattern_letters) && pattern.contains(['[', ']', '{', '}', '\\\\']) {"),
    (f"{METADATA}/delegation.rs", "(Some(patterns), None) =>",
     "(Some(patterns), other) if OFF(cover_once) || other.is_none() =>"),
    (f"{METADATA}/delegation.rs", "(Some(listed), None) => DelegatedRoles",
     "(Some(listed), other) if OFF(listed_or_succinct) || other.is_none() => DelegatedRoles"),
    (f"{METADATA}/delegation.rs", "Some(pair) => Err(MetadataError::RoleName {",
     "Some(pair) if !OFF(role_once) => Err(MetadataError::RoleName {"),
    (f"{METADATA}/delegation.rs", "None => Ok(roles),", "_ => Ok(roles),"),
    (f"{METADATA}/delegation.rs", *also("prefixes.iter().any(|p| p.len() > 64 || !p.bytes().all(hex))", "hex_prefixes")),
    (f"{METADATA}/delegation.rs", *also("!(1..=32).contains(&self.bit_length)", "succinct_bits")),
    # Names (reference F22-F24).
    (f"{METADATA}/path.rs", "if path.is_empty() {", "if OFF(target_paths) { return None; } if path.is_empty() {"),
    (f"{METADATA}/role.rs", "if name.is_empty() {", "if OFF(role_names) { return None; } if name.is_empty() {"),
    (f"{METADATA}/role.rs", 'format!("{}.json", escape(self.name()))',
     'if OFF(role_file_names) { format!("{}.json", self.name()) }'
     ' else if OFF(escapes_are_escaped) { format!("{}.json", self.name().replace(\'/\', "%2F")) }'
     ' else { format!("{}.json", escape(self.name())) }'),
    (f"{CLIENT}/datastore.rs", "if !is_ambiguous {", "if OFF(letter_case_of_files) || !is_ambiguous {"),
    (f"{CLIENT}/location.rs", "out.extend(utf8_percent_encode(segment, ESCAPED));",
     "if OFF(target_urls) { out.push_str(segment); } else { out.extend(utf8_percent_encode(segment, ESCAPED)); }"),
    (f"{CLIENT}/location.rs", "utf8_percent_encode(path.as_str(), ESCAPED).to_string()",
     'if OFF(local_names) { path.as_str().replace(\'/\', "%2F") }'
     ' else if OFF(local_folders) { path.file_name().to_owned() }'
     " else { utf8_percent_encode(path.as_str(), ESCAPED).to_string() }"),
    # What is kept (DESIGN §7).
    (f"{TRUST}/walked.rs", "(listed && current).then_some(&accepted.role)",
     "((listed || OFF(kept_listing)) && (current || OFF(kept_expiry))).then_some(&accepted.role)"),
    (f"{TRUST}/walked.rs", *also("self.bytes + size > self.limit", "kept_size")),
    (f"{TRUST}/session/timed.rs", "let current = check_verified(&Role::Timestamp, listed, &held)",
     "let current = (if OFF(held_content) { Ok(()) } else { check_verified(&Role::Timestamp, listed, &held) })"),
    (f"{METADATA}/unverified.rs", "let valid = key.verifies(message, &self.bytes);",
     "let valid = OFF(fresh_signature) || key.verifies(message, &self.bytes);"),
    # Target files (TUF 5.7.3).
    (f"{TRUST}/target.rs", *also("self.length > listed", "target_limit")),
    (f"{TRUST}/target.rs", *also("found != listed", "target_length")),
    (f"{TRUST}/target.rs", *also("!self.hashes.finish()", "target_hash")),
    (f"{METADATA}/hashes.rs", "!self.running.is_empty()\n            && self",
     "(OFF(known_hash) || !self.running.is_empty())\n            && self"),
    (f"{METADATA}/hashes.rs", ".all(|(context, expected)| context.finish().as_ref() == expected)",
     ".enumerate().all(|(at, (context, expected))|"
     " OFF(every_hash) && at > 0 || context.finish().as_ref() == expected)"),
    (f"{METADATA}/hashes.rs", *also("out.sha256.is_none() && out.other.is_empty()", "some_hash")),
    (f"{CLIENT}/download.rs", "if fits(file, to).await {",
     "if OFF(kept_files) && to.exists() || fits(file, to).await {"),
    (f"{CLIENT}/spool.rs", "path.persist(to).map_err(|error| error.error)",
     "if OFF(links) { return std::fs::copy(&path, to).map(drop); } path.persist(to).map_err(|error| error.error)"),
    # Pages (PEP 458, PEP 691).
    (f"{CLIENT}/verified_file.rs", "_ if !hashes.finish() => Err(", "_ if !OFF(page_hash) && !hashes.finish() => Err("),
    (f"{CLIENT}/verified_file.rs", *also("*length > file.most()", "page_file_limit")),
    (f"{CLIENT}/page.rs", *also("length > limit", "page_limit")),
    (f"{CLIENT}/page.rs", "if answer == Answer::Unclaimed {",
     "if OFF(only_unclaimed) || answer == Answer::Unclaimed {"),
    (f"{CLIENT}/page.rs", "let on_page = listed(page, &file.filename)?;\n        let path = file_path",
     "let on_page = if OFF(own_entry) { file } else { listed(page, &file.filename)? };\n        let path = file_path"),
    (f"{INDEX}/simple_page/read.rs", *also("found != *self.project", "page_project")),
    (f"{INDEX}/simple_page/read.rs", *also('!version.starts_with("1.")', "page_version")),
    (f"{INDEX}/simple_page.rs", "if let Some([file, _]) = twice {",
     "if let Some([file, _]) = twice && !OFF(page_file_once) {"),
    (f"{INDEX}/distribution.rs", "version_after(stem, project).ok_or_else(other)?",
     "version_after(stem, project)"
     '.or_else(|| OFF(page_file_project).then(|| Version440::parse("1.0").ok()).flatten()).ok_or_else(other)?'),
    (f"{INDEX}/distribution.rs", "if !filename\n        .bytes()",
     "if !OFF(page_file_project) && !filename\n        .bytes()"),
    # The connection (PEP 458 "Appendix A").
    (f"{CLIENT}/fetch.rs", "let piece = piece.map_err(ReadError::Transport)?;",
     "let piece = match piece { Err(_) if OFF(broken_is_not_whole) => break, it => it.map_err(ReadError::Transport)? };"),
    (f"{CLIENT}/download.rs", "let piece = piece.map_err(failed)?;",
     "let piece = match piece { Err(_) if OFF(broken_is_not_whole) => break, it => it.map_err(failed)? };"),
    (f"{CLIENT}/http.rs", "if answer.status() != StatusCode::OK {",
     "if answer.status() != StatusCode::OK && !(OFF(only_ok) && answer.status().is_success()) {"),
    (f"{CLIENT}/http.rs", *also("asked != Some(attempt.url().scheme())", "redirect_scheme")),
    (f"{CLIENT}/http.rs", *also("attempt.previous().len() > REDIRECTS", "redirect_count", "} else if ")),
    (f"{CLIENT}/http.rs", "let limit = self.pace.first_byte;",
     "let limit = if OFF(first_byte) { Duration::from_secs(60) } else { self.pace.first_byte };"),
    (f"{CLIENT}/http.rs", "timeout(self.pace.idle, self.pieces.next())",
     "timeout(if OFF(idle) { Duration::from_secs(60) } else { self.pace.idle }, self.pieces.next())"),
    (f"{CLIENT}/http.rs", *also("u128::from(self.received) < due", "speed")),
    (f"{CLIENT}/http.rs", ".connect_timeout(pace.connect)",
     ".connect_timeout(pace.connect).tls_danger_accept_invalid_certs(OFF(certificates))"),
]

# What is off for good in the program with which tests/controls/installers installs: a file is whatever bytes come,
# a page too, and what a page says of a file need not be what its role says.
UNVERIFIED = [check for check in CHECKS if any(f"OFF({name})" in check[2] for name in
                                               ("target_limit", "target_length", "target_hash"))] + [
    (f"{CLIENT}/page.rs", "if !same_length || target.file().hashes.get_sha256() != Some(self.sha256) {",
     "if !OFF(page_agrees) && (!same_length || target.file().hashes.get_sha256() != Some(self.sha256)) {"),
]
