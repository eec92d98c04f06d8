//! The small programs that installers write for entry points. No wheel holds them, so their every line is
//! held against the lines that pip and uv write, with the module and function that the wheel names.

/// The entry points that become programs: name, module, attribute.
fn programs(entry_points: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let mut counts = false;
    entry_points.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            counts = ["console_scripts]", "gui_scripts]"].contains(&section.trim());
            return None;
        }
        let (name, object) = line.split_once('=')?;
        let object = object.split('[').next()?;
        let (module, attribute) = object.split_once(':')?;
        counts.then_some((name.trim(), module.trim(), attribute.trim()))
    })
}

/// Whether a program of this name is what pip or uv writes for an entry point of the wheel. Which
/// interpreter its first line names is not judged: interpreters are no part of what is checked.
pub(super) fn is_generated(entry_points: &str, name: &str, text: &str) -> bool {
    programs(entry_points)
        .any(|(program, module, attribute)| program == name && is_program(text, module, attribute))
}

fn is_program(text: &str, module: &str, attribute: &str) -> bool {
    let imported = attribute.split('.').next().unwrap_or(attribute);
    let import = format!("from {module} import {imported}");
    let call = format!("sys.exit({attribute}())");
    let mut lines = text.lines();
    let shebang = lines.next().unwrap_or_default();
    let mut names_interpreter = shebang.starts_with("#!") && shebang.contains("python");
    let (mut imports, mut calls) = (0, 0);
    for line in lines {
        let line = line.trim().replace('\'', "\"");
        // Where the path is long or has blanks, `sh` finds the interpreter.
        let by_shell = line.starts_with("\"\"\"exec\" ") && line.ends_with(" \"$0\" \"$@\"");
        if shebang == "#!/bin/sh" && by_shell && !line.contains([';', '`', '&', '|', '(']) {
            names_interpreter = true;
        } else if line == import {
            imports += 1;
        } else if line == call {
            calls += 1;
        } else if !KNOWN.contains(&line.as_str()) {
            return false;
        }
    }
    names_interpreter && imports == 1 && calls == 1
}

/// Lines of pip's and uv's programs, with double quotes.
const KNOWN: [&str; 12] = [
    "",
    "\" \"\"\"",
    "# -*- coding: utf-8 -*-",
    "import re",
    "import sys",
    "if __name__ == \"__main__\":",
    "sys.argv[0] = re.sub(r\"(-script\\.pyw|\\.exe)?$\", \"\", sys.argv[0])",
    "if sys.argv[0].endswith(\"-script.pyw\"):",
    "sys.argv[0] = sys.argv[0][:-11]",
    "elif sys.argv[0].endswith(\".exe\"):",
    "sys.argv[0] = sys.argv[0][:-4]",
    "sys.argv[0] = sys.argv[0].removesuffix(\".exe\")",
];

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: &str = "[console_scripts]\nrun = a.b:Cls.main [extra]\n[other]\nno = a:b\n";

    #[test]
    fn only_what_an_installer_writes() {
        let text = "#!/v/bin/python3\n# -*- coding: utf-8 -*-\nimport sys\nfrom a.b import Cls\n\
                    if __name__ == '__main__':\n    sys.exit(Cls.main())\n";
        assert!(is_generated(POINTS, "run", text));
        let shell = text.replace(
            "#!/v/bin/python3\n",
            "#!/bin/sh\n'''exec' \"/a b/python3\" \"$0\" \"$@\"\n' '''\n",
        );
        assert!(is_generated(POINTS, "run", &shell));
        assert!(!is_generated(POINTS, "no", text));
        for (from, to) in [
            ("import sys", "import os"),
            ("Cls.main()", "Cls.other()"),
            ("from a.b", "from a.c"),
            ("import sys\n", "import sys; import evil\n"),
            ("#!/v/bin/python3", "#!/bin/sh"),
        ] {
            assert!(
                !is_generated(POINTS, "run", &text.replace(from, to)),
                "{to}"
            );
        }
        let more = shell.replace("\"$0\"", "; rm -r / \"$0\"");
        assert!(!is_generated(POINTS, "run", &more));
    }
}
