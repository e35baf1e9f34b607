//! Opens pages in headless Chromium as a reader would: no error on the console, the verdict in
//! sight, every chart drawn, zooming works, and nothing wider than the screen.
//!
//! `kvs-zoo-page-test SCREENSHOTS PAGE=TEXT…`: each page must show its text in the first tile. A
//! screenshot of each page at each width goes to the directory SCREENSHOTS.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{Emulation, Input, Page};
use headless_chrome::{Browser, LaunchOptions, Tab};

/// A desktop's and a phone's width.
const WIDTHS: [u32; 2] = [1200, 390];
const HEIGHT: u32 = 900;
/// A page opens within this.
const OPENS_WITHIN: Duration = Duration::from_secs(2);
/// A page is at most this large.
const BYTES_MAX: u64 = 5_000_000;
/// How long a page may take to show what a script does to it.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let screenshots = PathBuf::from(arguments.next().context("a directory for screenshots")?);
    std::fs::create_dir_all(&screenshots)?;
    let options = LaunchOptions::default_builder()
        .sandbox(false)
        .window_size(Some((WIDTHS[0], HEIGHT)))
        .idle_browser_timeout(Duration::from_secs(120))
        .build()?;
    let browser = Browser::new(options).context("starting Chromium")?;
    let mut seen = 0;
    for argument in arguments {
        let (page, text) = argument.rsplit_once('=').context("PAGE=TEXT")?;
        for width in WIDTHS {
            let place = screenshots.join(format!("{}-{width}.png", name(page)));
            look(&browser, page, text, width, &place)
                .with_context(|| format!("{page} at {width}"))?;
            seen += 1;
        }
    }
    ensure!(seen > 0, "no page was given");
    println!(
        "{seen} pages looked at; screenshots are in {}",
        screenshots.display()
    );
    Ok(())
}

/// A page's name for a file.
fn name(page: &str) -> String {
    let parts: Vec<_> = page.split('/').filter(|part| !part.is_empty()).collect();
    let from = parts.len().saturating_sub(2);
    parts[from..].join("-").replace(['?', '&', ':', '='], "-")
}

fn look(browser: &Browser, page: &str, text: &str, width: u32, place: &Path) -> Result<()> {
    let tab = browser.new_tab()?;
    screen(&tab, width, HEIGHT)?;
    // The desktop is light and the phone dark, so that both are seen.
    let scheme = if width < 600 { "dark" } else { "light" };
    tab.call_method(Emulation::SetEmulatedMedia {
        media: None,
        features: Some(vec![Emulation::MediaFeature {
            name: "prefers-color-scheme".to_owned(),
            value: scheme.to_owned(),
        }]),
    })?;
    let troubles = troubles(&tab)?;
    let is_file = !page.starts_with("http");
    let url = if is_file {
        let path = std::fs::canonicalize(page)?;
        let bytes = std::fs::metadata(&path)?.len();
        ensure!(
            bytes <= BYTES_MAX,
            "it has {bytes} bytes, more than {BYTES_MAX}"
        );
        format!("file://{}", path.display())
    } else {
        page.to_owned()
    };
    tab.navigate_to(&url)?.wait_until_navigated()?;
    const LOADED_MS: &str = "performance.getEntriesByType('navigation')[0].loadEventEnd";
    until("the page is loaded", || Ok(number(&tab, LOADED_MS)? > 0.0))?;
    let took = Duration::from_secs_f64(number(&tab, LOADED_MS)? / 1e3);
    ensure!(
        took <= OPENS_WITHIN,
        "it opened in {took:?}, not within {OPENS_WITHIN:?}"
    );

    let shown = string(
        &tab,
        "(document.querySelector('.tile') ?? document.querySelector('h1')).innerText",
    )?;
    ensure!(shown.contains(text), "{shown:?} does not say {text:?}");
    let asked = number(
        &tab,
        "JSON.parse(document.getElementById('charts')?.textContent ?? '{\"charts\":[]}').charts.length",
    )?;
    let drawn = number(&tab, "document.querySelectorAll('.chart canvas').length")?;
    ensure!(asked == drawn, "{drawn} of {asked} charts are drawn");
    let too_wide = number(&tab, "document.documentElement.scrollWidth - innerWidth")?;
    ensure!(
        too_wide <= 0.0,
        "the page is {too_wide} pixels wider than the screen"
    );
    if asked > 0.0 {
        zooms(&tab)?;
    }
    let troubles = troubles.lock().expect("nobody panicked").clone();
    ensure!(troubles.is_empty(), "the console says: {troubles:?}");
    let height = number(&tab, "document.documentElement.scrollHeight")?;
    screen(&tab, width, height as u32)?;
    tab.evaluate("scrollTo(0, 0)", false)?;
    let format = Page::CaptureScreenshotFormatOption::Png;
    let image = tab.capture_screenshot(format, None, None, true)?;
    std::fs::write(place, image)?;
    println!(
        "ok   {page} at {width}: opened in {} ms, {drawn} charts",
        took.as_millis()
    );
    tab.close(true)?;
    Ok(())
}

/// Errors and warnings of the console, and exceptions.
fn troubles(tab: &Arc<Tab>) -> Result<Arc<Mutex<Vec<String>>>> {
    let troubles = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&troubles);
    tab.enable_log()?.enable_runtime()?;
    tab.add_event_listener(Arc::new(move |event: &Event| {
        let trouble = match event {
            Event::RuntimeExceptionThrown(thrown) => {
                format!("{:?}", thrown.params.exception_details)
            }
            Event::LogEntryAdded(entry) => format!("{:?}", entry.params.entry),
            Event::RuntimeConsoleAPICalled(call) => format!("{:?}", call.params.args),
            _ => return,
        };
        heard.lock().expect("nobody panicked").push(trouble);
    }))?;
    Ok(troubles)
}

/// Drags over the first chart with the mouse: it then shows less, and all again after "all".
fn zooms(tab: &Arc<Tab>) -> Result<()> {
    const SPAN: &str =
        "(() => { const x = [...kvsCharts.values()][0].scales.x; return x.max - x.min; })()";
    tab.evaluate(
        "document.querySelector('.chart').scrollIntoView({block: 'center'})",
        false,
    )?;
    let all = number(tab, SPAN)?;
    let edge = |side: &str| {
        number(
            tab,
            &format!("document.querySelector('.chart .u-over').getBoundingClientRect().{side}"),
        )
    };
    let (left, right, top) = (edge("left")?, edge("right")?, edge("top")?);
    let at = |share: f64| (left + (right - left) * share, top + 60.0);
    mouse(
        tab,
        Input::DispatchMouseEventTypeOption::MouseMoved,
        at(0.3),
        0,
    )?;
    mouse(
        tab,
        Input::DispatchMouseEventTypeOption::MousePressed,
        at(0.3),
        1,
    )?;
    for step in 0..=10 {
        mouse(
            tab,
            Input::DispatchMouseEventTypeOption::MouseMoved,
            at(0.3 + 0.03 * f64::from(step)),
            1,
        )?;
    }
    mouse(
        tab,
        Input::DispatchMouseEventTypeOption::MouseReleased,
        at(0.6),
        0,
    )?;
    until("dragging zooms", || Ok(number(tab, SPAN)? < all * 0.5))?;
    tab.evaluate(
        "document.querySelector('.tools button[title=\"Show all\"]').click()",
        false,
    )?;
    until("\"all\" shows all again", || {
        Ok((number(tab, SPAN)? / all - 1.0).abs() < 0.01)
    })?;
    tab.evaluate(
        "document.querySelector('.tools button[title=\"Zoom in\"]').click()",
        false,
    )?;
    until("\"+\" zooms", || Ok(number(tab, SPAN)? < all * 0.6))?;
    tab.evaluate(
        "document.querySelector('.tools button[title=\"Show all\"]').click()",
        false,
    )?;
    until("\"all\" shows all once more", || {
        Ok((number(tab, SPAN)? / all - 1.0).abs() < 0.01)
    })
}

fn mouse(
    tab: &Arc<Tab>,
    kind: Input::DispatchMouseEventTypeOption,
    (x, y): (f64, f64),
    buttons: u32,
) -> Result<()> {
    let is_press = !matches!(kind, Input::DispatchMouseEventTypeOption::MouseMoved);
    tab.call_method(Input::DispatchMouseEvent {
        Type: kind,
        x,
        y,
        modifiers: None,
        timestamp: None,
        button: Some(Input::MouseButton::Left),
        buttons: Some(buttons),
        click_count: Some(u32::from(is_press)),
        force: None,
        tangential_pressure: None,
        tilt_x: None,
        tilt_y: None,
        twist: None,
        delta_x: None,
        delta_y: None,
        pointer_Type: None,
    })?;
    Ok(())
}

fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + SETTLES_WITHIN;
    while !holds()? {
        if Instant::now() > deadline {
            bail!("{what}: not seen within {SETTLES_WITHIN:?}");
        }
    }
    Ok(())
}

/// Makes the screen this large.
fn screen(tab: &Arc<Tab>, width: u32, height: u32) -> Result<()> {
    tab.call_method(Emulation::SetDeviceMetricsOverride {
        width,
        height,
        device_scale_factor: 1.0,
        mobile: width < 600,
        scale: None,
        screen_width: None,
        screen_height: None,
        position_x: None,
        position_y: None,
        dont_set_visible_size: None,
        screen_orientation: None,
        viewport: None,
        display_feature: None,
        device_posture: None,
    })?;
    Ok(())
}

fn number(tab: &Arc<Tab>, expression: &str) -> Result<f64> {
    let value = tab.evaluate(expression, false)?.value;
    value
        .as_ref()
        .and_then(serde_json::Value::as_f64)
        .with_context(|| format!("{expression} is no number: {value:?}"))
}

fn string(tab: &Arc<Tab>, expression: &str) -> Result<String> {
    let value = tab.evaluate(expression, false)?.value;
    let text = value.as_ref().and_then(serde_json::Value::as_str);
    text.map(str::to_owned)
        .with_context(|| format!("{expression} is no text"))
}
