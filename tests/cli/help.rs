//! Help and manual pages.

use crate::support::{Scene, stderr, stdout};

/// The commands as the help lists them.
fn commands(scene: &Scene) -> Vec<String> {
    let help = stdout(&scene.tokenwell(["--help"]).assert().success());
    let list = help.split_once("Commands:\n").unwrap().1.split("\n\n").next().unwrap();
    // Continuation lines of a description are indented further.
    let names =
        list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty() && *name != "help");
    let names: Vec<_> = names.map(str::to_owned).collect();
    assert!(names.len() >= 14, "{names:?}");
    names
}

/// The words of every command and of those below it; the first has no words and is tokenwell itself.
pub fn every_command(scene: &Scene) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = vec![vec![]];
    found.extend(commands(scene).into_iter().map(|name| vec![name]));
    for name in commands(scene).into_iter().chain(["help".to_owned()]) {
        let help = stdout(&scene.tokenwell([name.as_str(), "--help"]).assert().success());
        let list = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest.split("\n\n").next().unwrap());
        let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|below| !below.is_empty());
        found.extend(names.map(|below| vec![name.clone(), below.to_owned()]));
    }
    found.push(vec!["help".to_owned()]);
    assert!(found.len() > 25 && found.contains(&vec!["profile".to_owned(), "list".to_owned()]), "{found:?}");
    found
}

#[test]
fn every_commands_help_shows_an_example_of_itself() {
    let scene = Scene::new();

    for command in commands(&scene) {
        let help = stdout(&scene.tokenwell([command.as_str(), "--help"]).assert().success().stderr(""));
        let examples = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{command}: {help}")).1;
        assert!(examples.contains(&format!("tokenwell {command}")), "{command}: {examples}");
    }
}

#[test]
fn duration_errors_say_what_to_write() {
    let scene = Scene::new();

    for value in ["abc", "1x", "99999999999999999999h"] {
        for flag in ["--min-ttl", "--timeout"] {
            let message = stderr(&scene.tokenwell(["token", flag, value]).assert().code(2).stdout(""));
            let expected = format!("`{value}` is not a duration: write a number and a unit, for example 500ms, 90s, 10m or 1h");
            assert!(message.contains(&expected), "{message}");
        }
    }
}

#[test]
fn n33_a_duration_without_a_clear_unit_is_refused_with_the_two_readings() {
    let scene = Scene::new();

    for (value, expected) in [
        ("5", "--min-ttl: `5` has no unit: it could be seconds or minutes; write 5s or 5m"),
        ("5M", "--min-ttl: `5M` is ambiguous: write 5m for minutes or 5months for months"),
    ] {
        let message = stderr(&scene.tokenwell(["token", "--min-ttl", value]).assert().code(2).stdout(""));
        assert!(message.contains(expected), "{message}");
    }
    for clear in ["5m", "300s", "1months", "5min"] {
        let message = stderr(&scene.tokenwell(["token", "--min-ttl", clear, "--nonsense"]).assert().code(2));
        assert!(message.contains("--nonsense"), "{message}");
    }
}

#[test]
fn the_short_help_of_every_command_fits_on_one_screen() {
    let scene = Scene::new();

    for command in every_command(&scene) {
        let help = stdout(&scene.tokenwell(command.iter().map(String::as_str).chain(["-h"])).assert().success());
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{command:?}: {help}");
        let count = help.lines().count();
        let advice = "give flags that are rarely needed `hide_short_help`; --help has them";
        assert!((8..=24).contains(&count), "{command:?} -h has {count} lines: {advice}\n{help}");
    }
}

#[test]
fn the_page_of_the_settings_has_every_setting_and_variable() {
    let scene = Scene::new();

    let page = stdout(&scene.tokenwell(["help", "settings"]).assert().success().stderr(""));

    for setting in tokenwell::config::settings().filter(|setting| !["environment", "manual_clock_ms"].contains(&setting.name())) {
        assert!(page.contains(&format!("\n{}", setting.name())), "{}", setting.name());
        assert!(setting.variables().all(|variable| page.contains(variable)), "{}", setting.name());
    }
    assert!(page.contains("TOKENWELL_* variables.\n  3. MONGODB_ATLAS_*"), "{page}");
}

/// The table of settings is the only list: the page of the settings is made from it, and its flags
/// are those of the help, of the manual page and of the completions.
#[test]
fn the_flags_of_the_settings_are_the_same_on_all_pages() {
    let scene = Scene::new();
    let page = stdout(&scene.tokenwell(["help", "settings"]).assert().success());
    let headings = page.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_once("  --"));
    let flags: Vec<_> = headings.map(|(setting, flag)| (setting, flag.split(' ').next().unwrap())).collect();
    assert!(flags.len() > 12 && flags.iter().all(|(name, _)| tokenwell::config::settings().any(|setting| setting.name() == *name)));

    for command in ["token", "exec", "api", "sink", "whoami", "status"] {
        let help = stdout(&scene.tokenwell([command, "--help"]).assert().success());
        let manual = manual(&scene, &[command.to_owned()]).replace("\\-", "-");
        let mut completion = scene.tokenwell(["--", "tokenwell", command, "--"]);
        let offered = stdout(&completion.env("_TOKENWELL_COMPLETE", "fish").assert().success());
        for (setting, flag) in &flags {
            assert!(help.contains(&format!("      --{flag}")), "{command}: {setting}: --{flag}: {help}");
            assert!(manual.contains(&format!("--{flag}")), "{command}: {setting}: --{flag}: {manual}");
            assert!(offered.lines().any(|line| line.starts_with(&format!("--{flag}\t"))), "{command}: {setting}: --{flag}: {offered}");
        }
    }
    let methods = tokenwell::config::settings().find(|setting| setting.name() == "auth_method").unwrap().about();
    let mut completion = scene.tokenwell(["--", "tokenwell", "token", "--auth-method", ""]);
    let offered = stdout(&completion.env("_TOKENWELL_COMPLETE", "fish").assert().success());
    let mut offered: Vec<_> = offered.lines().filter_map(|line| line.split('\t').next()).collect();
    let mut documented: Vec<_> = methods.split('`').skip(1).step_by(2).collect();
    offered.sort_unstable();
    documented.sort_unstable();
    assert_eq!(offered, documented);
}

#[test]
fn help_prints_the_page_that_the_flag_prints() {
    let scene = Scene::new();

    for command in [&["exec"][..], &["cache", "list"], &[]] {
        let by_flag = stdout(&scene.tokenwell(command.iter().copied().chain(["--help"])).assert().success());
        let by_command = stdout(&scene.tokenwell(["help"].into_iter().chain(command.iter().copied())).assert().success());
        assert_eq!(by_command, by_flag, "{command:?}");
    }
    let message = stderr(&scene.tokenwell(["help", "nonsense"]).assert().code(2).stdout(""));
    assert!(message.contains("unknown help topic `nonsense`") && message.contains("settings"), "{message}");
}

#[test]
fn help_needs_no_configuration_and_sends_nothing() {
    let scene = Scene::new();
    let mut command = scene.tokenwell(["--help"]);

    let help = stdout(&command.env_remove("MONGODB_ATLAS_CLIENT_SECRET").assert().success());

    assert!(help.contains("Exit codes:"), "{help}");
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let scene = Scene::new();

    assert!(stdout(&scene.tokenwell(["man"]).assert().success()).contains(".TH tokenwell 1"));
    for command in commands(&scene) {
        let page = stdout(&scene.tokenwell(["man", command.as_str()]).assert().success());
        assert!(page.contains(&format!(".TH tokenwell-{command} 1")), "{command}: {page}");
    }
}

#[test]
fn an_unknown_page_is_an_invalid_argument_with_a_list_of_pages() {
    let scene = Scene::new();

    let message = stderr(&scene.tokenwell(["man", "nonsense"]).assert().code(2).stdout(""));

    assert!(message.contains("nonsense") && message.contains("doctor"), "{message}");
}

#[test]
fn a_wrong_flag_is_exit_code_2() {
    let scene = Scene::new();

    for arguments in
        [&["nonsense"][..], &["token", "--nonsense"], &["token", "--min-ttl", "soon"], &["sink"], &["sink", "f", "--mode", "0666"]]
    {
        scene.tokenwell(arguments.iter().copied()).assert().code(2).stdout("");
    }
}

/// Every page that the pages refer to: of the commands, and of their subcommands.
fn pages(scene: &Scene) -> Vec<Vec<String>> {
    let mut pages = vec![vec![]];
    let mut index = 0;
    while index < pages.len() {
        let topic: Vec<String> = pages[index].clone();
        let page = manual(scene, &topic);
        let prefix = ["tokenwell"].into_iter().chain(topic.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
        let listed = page.lines().filter_map(|line| line.replace('\\', "").strip_suffix("(1)").map(str::to_owned));
        let names = listed.filter_map(|line| line.strip_prefix(&format!("{prefix}-")).map(str::to_owned));
        let nested: Vec<_> = names.map(|name| topic.iter().cloned().chain([name]).collect()).collect();
        pages.extend(nested);
        index += 1;
    }
    assert!(pages.len() > 20 && pages.contains(&vec!["cache".to_owned(), "list".to_owned()]), "{pages:?}");
    pages
}

fn manual(scene: &Scene, topic: &[String]) -> String {
    stdout(&scene.tokenwell(["man"].into_iter().chain(topic.iter().map(String::as_str))).assert().success().stderr(""))
}

#[test]
fn n27_the_pages_have_the_sections_that_readers_search_for_and_refer_to_pages_that_exist() {
    let scene = Scene::new();

    for topic in pages(&scene) {
        let page = manual(&scene, &topic);
        let sections: Vec<_> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).map(|section| section.trim_matches('"')).collect();
        for wanted in ["NAME", "SYNOPSIS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"] {
            assert!(sections.contains(&wanted), "{topic:?}: {wanted}: {sections:?}");
        }
        assert!(page.contains("Print no notes and warnings"), "{topic:?}: the flags have their descriptions: {page}");
        assert!(!sections.contains(&"EXTRA") && page.contains("\n.nh\n"), "{topic:?}: {sections:?}");
    }
    for topic in [vec![], vec!["token".to_owned()]] {
        let page = manual(&scene, &topic);
        let all = tokenwell::config::settings().flat_map(|setting| setting.variables());
        assert!(page.contains("\n.SH ENVIRONMENT\n") && page.contains("\n.SH FILES\n"), "{page}");
        assert!(all.into_iter().all(|variable| page.contains(variable)), "{page}");
    }
}

#[cfg(unix)]
#[test]
fn n27_groff_renders_every_page_without_a_warning() {
    let scene = Scene::new();
    if scene.plain("groff").arg("--version").output().is_err() {
        println!("skipped: groff is not installed");
        return;
    }

    for topic in pages(&scene) {
        let page = scene.write("page.1", &manual(&scene, &topic));
        let output = scene.plain("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(&page).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{topic:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
