//! One call's progress on a terminal: indicatif draws what `ProgressView` says.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use mcp_tokio::mcp_proto::progress::{Phase, ProgressView};
use mcp_tokio::mcp_proto::{Instant, Progress};

use crate::output::tell;
use crate::text::{amount, count, duration, one_line, rate, took};

/// A bar with rate and time left where the total is known, a counter where it is not, a spinner with the
/// elapsed time while nothing is heard. Prints a line for each report where there is no terminal.
pub(crate) struct Bar {
    skin: ProgressBar,
    /// Lines instead of a bar.
    in_lines: bool,
    label: String,
    view: ProgressView,
    is_interrupted: bool,
    /// Columns of the terminal, asked for at every drawing.
    width: Box<dyn Fn() -> u16 + Send>,
    style: Option<(Shape, Layout)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Running,
    Done,
    Stopped,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    WithBar,
    FiguresOnly,
}

/// What stands instead of the last message while the stream of the call is cut.
pub(crate) const INTERRUPTED: &str = "connection lost, resuming…";

/// Positions of the bar that indicatif is told of: tenths of a percent.
const LENGTH: u64 = 1000;

impl Bar {
    /// A bar on stderr if that is a terminal; it is drawn at most 20 times a second.
    pub(crate) fn on_stderr(label: &str, is_terminal: bool, now: Instant) -> Self {
        let target =
            if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let terminal = console::Term::stderr();
        Self::on(target, Box::new(move || terminal.size().1), !is_terminal, label, now)
    }

    fn on(
        target: ProgressDrawTarget,
        width: Box<dyn Fn() -> u16 + Send>,
        in_lines: bool,
        label: &str,
        now: Instant,
    ) -> Self {
        let skin = ProgressBar::with_draw_target(Some(LENGTH), target);
        let (label, view) = (one_line(label), ProgressView::new(now));
        let mut bar =
            Self { skin, in_lines, label, view, is_interrupted: false, width, style: None };
        bar.draw(now);
        bar
    }

    /// Names what is waited for from now on, and counts time anew.
    pub(crate) fn restart(&mut self, label: &str, now: Instant) {
        self.label = one_line(label);
        self.view = ProgressView::new(now);
        self.is_interrupted = false;
        self.style = None;
        self.draw(now);
    }

    pub(crate) fn update(&mut self, report: &Progress, now: Instant) {
        self.view.update(report, now);
        if self.in_lines {
            tell(line(&self.label, report));
        } else {
            self.draw(now);
        }
    }

    /// The stream of the call is cut. Whether that can be seen from the next drawing on.
    pub(crate) fn interrupt(&mut self) -> bool {
        self.is_interrupted = true;
        !self.in_lines && !self.skin.is_hidden()
    }

    /// It goes on.
    pub(crate) fn resume(&mut self) {
        self.is_interrupted = false;
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.draw(now);
    }

    /// Prints a line above the bar.
    pub(crate) fn print_above(&self, text: &str) {
        if self.skin.is_hidden() {
            tell(text);
        } else {
            self.skin.println(text);
        }
    }

    /// The call has a result: the bar stands full, whatever was reported last.
    pub(crate) fn finish(&mut self, now: Instant) {
        self.view.finish(now);
        self.draw(now);
        self.skin.abandon();
    }

    /// The call has none: the bar stands where it was.
    pub(crate) fn stop(&mut self, now: Instant) {
        self.view.stop(now);
        self.draw(now);
        self.skin.abandon();
    }

    /// Leaves nothing on the screen.
    pub(crate) fn clear(&self) {
        self.skin.finish_and_clear();
    }

    pub(crate) fn last(&self) -> Option<&Progress> {
        self.view.last()
    }

    fn draw(&mut self, now: Instant) {
        if self.in_lines {
            return;
        }
        let shape = match self.view.phase() {
            Phase::Finished => Shape::Done,
            Phase::Stopped => Shape::Stopped,
            _ => Shape::Running,
        };
        let is_interrupted = self.is_interrupted && shape == Shape::Running;
        let has_room = (self.width)() >= if is_interrupted { MIN_WIDTH_CUT } else { MIN_WIDTH };
        let layout = match self.view.percent() {
            Some(_) if has_room => Layout::WithBar,
            _ => Layout::FiguresOnly,
        };
        if self.style != Some((shape, layout)) {
            self.style = Some((shape, layout));
            self.skin.set_style(style(shape, layout, self.label.clone()));
        }
        let percent = self.view.percent().unwrap_or_default();
        let last = self.view.last().and_then(|last| last.message.as_deref()).map(one_line);
        let last = if is_interrupted { Some(INTERRUPTED.into()) } else { last };
        // All of it, and only then one drawing: a line is never half old.
        let skin = self.skin.clone().with_position(position(percent)).with_prefix(numbers(
            &self.view,
            is_interrupted,
            now,
        ));
        skin.with_message(last.unwrap_or_default()).tick();
    }
}

/// Room for the name of the tool before it is cut.
const LABEL_WIDTH: usize = 24;

/// Columns below which there is no room for a bar beside its figures.
const MIN_WIDTH: u16 = 60;

/// The same while the stream is cut, which is said beside them in full.
const MIN_WIDTH_CUT: u16 = 100;

fn style(shape: Shape, layout: Layout, label: String) -> ProgressStyle {
    let mark = match shape {
        Shape::Running => "{spinner:.cyan}",
        Shape::Done => "{mark:.green}",
        Shape::Stopped => "{mark:.red}",
    };
    let name = if label.chars().count() > LABEL_WIDTH { "{label:24!}" } else { "{label}" };
    let bar = if layout == Layout::WithBar { " {bar:24.cyan/dim}" } else { "" };
    let template = format!("{mark} {name}{bar}  {{prefix}}  {{wide_msg}}");
    let sign = if shape == Shape::Done { "✔" } else { "✘" };
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
        .tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"])
        .with_key("mark", move |_: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(sign);
        })
        .with_key("label", move |_: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&label);
        })
}

fn position(percent: f64) -> u64 {
    // Between 0 and 1000 by what `percent` promises; the cast saturates.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let position = (percent * 10.0) as u64;
    position.min(LENGTH)
}

/// The figures beside the bar. While the stream is cut nobody knows how fast it goes on.
fn numbers(view: &ProgressView, is_interrupted: bool, now: Instant) -> String {
    let elapsed = view.elapsed(now);
    match view.phase() {
        Phase::Finished => {
            return format!("{} in {}", count(view.reports(), "report"), took(elapsed));
        }
        Phase::Stopped => return format!("{}, stopped after {}", reached(view), took(elapsed)),
        _ => {}
    }
    let elapsed = duration(elapsed);
    let Some(last) = view.last() else { return elapsed };
    let (speed, left) = if is_interrupted { (None, None) } else { (view.rate(now), view.eta(now)) };
    let speed = speed.map(|per_second| format!("  {}", rate(per_second))).unwrap_or_default();
    match view.percent() {
        Some(percent) => {
            let left = match left {
                // Rounded up: it must not say 0 while there is something left.
                Some(left) => format!("  ETA {}", duration(left + Duration::from_millis(999))),
                None => format!("  {elapsed}"),
            };
            format!("{percent:3.0}%  {}{speed}{left}", reached(view))
        }
        None => format!("{}{speed}  {elapsed}", amount(last.progress)),
    }
}

fn reached(view: &ProgressView) -> String {
    match (view.last(), view.total()) {
        (Some(last), Some(total)) => format!("{}/{}", amount(last.progress), amount(total)),
        (Some(last), None) => amount(last.progress),
        (None, _) => "no report".into(),
    }
}

/// One report on a line of its own: `resize:  40%  4/10  image 4`.
fn line(label: &str, report: &Progress) -> String {
    let mut view = ProgressView::new(Instant::ZERO);
    view.update(report, Instant::ZERO);
    let mut line = format!("{label}:");
    if let Some(percent) = view.percent() {
        line.push_str(&format!(" {percent:3.0}%"));
    }
    line.push_str(&format!("  {}", reached(&view)));
    if let Some(message) = &report.message {
        line.push_str(&format!("  {}", one_line(message)));
    }
    line
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    #[test]
    fn a_known_total_is_a_bar_with_rate_and_time_left() {
        let (mut bar, screen) = bar(72, "resize");
        bar.update(&Progress::new(0.0).of(10.0).message("image 1"), at(1000));
        assert_eq!(screen.line(), "⠹ resize ────────────────────────    0%  0/10  1s  image 1");
        bar.update(&Progress::new(5.0).of(10.0).message("image 6"), at(3500));
        assert_eq!(
            screen.line(),
            "⠸ resize ━━━━━━━━━━━━╸───────────   50%  5/10  2/s  ETA 3s  image 6"
        );
    }

    #[test]
    fn an_unknown_total_is_a_counter() {
        let (mut bar, screen) = bar(60, "scan");
        bar.update(&Progress::new(10.0).message("a"), at(1000));
        bar.update(&Progress::new(30.0).message("b"), at(2000));
        assert_eq!(screen.line(), "⠸ scan  30  20/s  2s  b");
    }

    #[test]
    fn silence_is_a_spinner_that_shows_how_long_it_lasts() {
        let (mut bar, screen) = bar(60, "think");
        assert_eq!(screen.line(), "⠙ think  0s");
        bar.tick(at(65_000));
        assert_eq!(screen.line(), "⠹ think  1m05s");
    }

    #[test]
    fn wide_characters_are_cut_where_the_line_ends() {
        let report = Progress::new(6.0).of(10.0).message("正在处理步骤七正在处理步骤七正在处理");
        for width in 30..90_u16 {
            let (mut bar, screen) = bar(width, "工具");
            bar.update(&report, at(1000));
            let lines = screen.lines();
            assert_eq!(lines.len(), 1, "{lines:?}");
            let figures = if width < 60 {
                "  "
            } else {
                " ━━━━━━━━━━━━━━╸─────────  "
            };
            let head = format!("⠹ 工具{figures} 60%  6/10  1s  正");
            assert!(lines[0].starts_with(&head), "{lines:?} of {width}");
            // The line is filled but for the half of a wide character, or the message is there in full.
            let used: usize = lines[0].chars().map(columns).sum();
            let is_whole = lines[0].ends_with("正在处理");
            assert!(
                used <= width.into() && (is_whole || used + 1 >= width.into()),
                "{lines:?} of {width}"
            );
        }
    }

    #[test]
    fn a_bar_that_ends_at_nine_of_ten_with_a_result_ends_well() {
        let (mut bar, screen) = bar(72, "t");
        for n in 0..10_u32 {
            bar.update(&Progress::new(n.into()).of(10.0), at(u64::from(n) * 500));
        }
        bar.finish(at(5000));
        assert_eq!(screen.line(), "✔ t ━━━━━━━━━━━━━━━━━━━━━━━━  10 reports in 5s");
    }

    #[test]
    fn a_bar_without_result_stays_where_it_was() {
        let (mut bar, screen) = bar(72, "t");
        bar.update(&Progress::new(5.0).of(10.0).message("half"), at(500));
        bar.stop(at(5000));
        assert_eq!(screen.line(), "✘ t ━━━━━━━━━━━━╸───────────  5/10, stopped after 5s  half");
    }

    #[test]
    fn a_stream_that_is_cut_is_said_until_it_goes_on_or_the_call_ends() {
        let (mut bar, screen) = bar(72, "t");
        bar.update(&Progress::new(5.0).of(10.0).message("half"), at(1000));
        assert!(bar.interrupt());
        bar.tick(at(2000));
        assert!(screen.line().ends_with("  5/10  2s  connection lost, resuming…"), "{screen:?}");
        bar.resume();
        bar.tick(at(3000));
        assert!(screen.line().ends_with("  5/10  3s  half"), "{screen:?}");
        bar.interrupt();
        bar.stop(at(4000));
        assert!(screen.line().ends_with("  5/10, stopped after 4s  half"), "{screen:?}");
        // With a rate known, neither it nor the time left is guessed meanwhile: they would take the room too.
        let (mut bar, screen) = self::bar(80, "long_running_task");
        for n in 1..=8_u32 {
            bar.update(&Progress::new(n.into()).of(20.0), at(300 * u64::from(n)));
        }
        assert!(screen.line().contains("/s  ETA"), "{screen:?}");
        bar.interrupt();
        bar.tick(at(60_000));
        assert!(
            screen.line().ends_with("40%  8/20  1m00s  connection lost, resuming…"),
            "{screen:?}"
        );
    }

    #[test]
    fn what_the_server_says_stands_above_the_bar() {
        let (bar, screen) = bar(40, "t");
        bar.print_above("server: hello");
        assert_eq!(screen.lines(), ["server: hello", "⠙ t  0s"]);
    }

    #[test]
    fn a_line_is_one_report() {
        let report = Progress::new(9.0).of(10.0).message("正在处理步骤 10/10");
        assert_eq!(line("task", &report), "task:  90%  9/10  正在处理步骤 10/10");
        assert_eq!(line("task", &Progress::new(0.0).of(10.0)), "task:   0%  0/10");
        assert_eq!(line("task", &Progress::new(3.5).message("a\nb")), "task:  3.5  a b");
        assert_eq!(line("task", &Progress::new(3.0).of(0.0)), "task:  3");
    }

    fn at(millis: u64) -> Instant {
        Instant::from(Duration::from_millis(millis))
    }

    fn bar(width: u16, label: &str) -> (Bar, Screen) {
        let screen = Screen { width, cells: Arc::default() };
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        (Bar::on(target, Box::new(move || width), false, label, at(0)), screen)
    }

    fn columns(c: char) -> usize {
        if matches!(c, '\u{2e80}'..='\u{ffef}') { 2 } else { 1 }
    }

    /// A terminal of fixed width that keeps its lines; the cursor is always on the last one.
    #[derive(Clone, Debug)]
    struct Screen {
        width: u16,
        cells: Arc<Mutex<Vec<String>>>,
    }

    impl Screen {
        fn line(&self) -> String {
            self.lines().pop().unwrap()
        }

        fn lines(&self) -> Vec<String> {
            self.cells
                .lock()
                .unwrap()
                .iter()
                .map(|line| line.trim_end().to_owned())
                .filter(|line| !line.is_empty())
                .collect()
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            self.width
        }

        fn move_cursor_up(&self, n: usize) -> io::Result<()> {
            let mut cells = self.cells.lock().unwrap();
            let left = cells.len().saturating_sub(n).max(1);
            cells.truncate(left);
            Ok(())
        }

        fn move_cursor_down(&self, n: usize) -> io::Result<()> {
            self.cells.lock().unwrap().extend(std::iter::repeat_n(String::new(), n));
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.move_cursor_down(1)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            let mut cells = self.cells.lock().unwrap();
            if cells.is_empty() {
                cells.push(String::new());
            }
            for c in text.chars() {
                let used: usize = cells.last().unwrap().chars().map(columns).sum();
                if used + columns(c) > self.width.into() {
                    cells.push(String::new());
                }
                cells.last_mut().unwrap().push(c);
            }
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            if let Some(line) = self.cells.lock().unwrap().last_mut() {
                line.clear();
            }
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }
}
