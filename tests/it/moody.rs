//! A plugin that answers in every way that a plugin can.

use floe_plugin_api::{
    Bytes, CallContext, Error, ErrorKind, Health, HostRef, Plugin, Result, Secret, Value, data,
    export_plugin, tracing, value,
};

/// How it starts.
#[data]
#[serde(deny_unknown_fields)]
struct Config {
    /// What its start comes to.
    #[serde(default)]
    start: Start,
    /// Told by `moody.well`.
    #[serde(default)]
    word: Option<String>,
    /// Is told nobody, whatever it says.
    #[serde(default)]
    password: Option<Secret>,
    /// How it says it is.
    #[serde(default)]
    mood: Mood,
}

#[data]
#[derive(Default)]
#[serde(rename_all = "lowercase")]
enum Start {
    #[default]
    Well,
    Fails,
    Panics,
    Hangs,
}

#[data]
#[derive(Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum Mood {
    #[default]
    Good,
    Fair,
    Bad,
}

struct Moody {
    word: Option<String>,
    password: Option<Secret>,
    mood: Mood,
}

impl Plugin for Moody {
    type Config = Config;

    fn start(config: Config, _host: HostRef) -> Result<Self> {
        match config.start {
            Start::Well => Ok(Self {
                word: config.word,
                password: config.password,
                mood: config.mood,
            }),
            Start::Fails => Err(Error::execution("the disk is gone").context("cannot wake up")),
            Start::Panics => panic!("not today"),
            Start::Hangs => hang(),
        }
    }

    fn health(&self) -> Health {
        match self.mood {
            Mood::Good => Health::healthy(),
            Mood::Fair => Health::degraded("it rains")
                .with_details(value!({"rain_mm": 12, "clouds": ["grey", "dark"]})),
            Mood::Bad => Health::unhealthy(format!("no entry with {}", self.word())),
        }
    }

    fn stop(self) -> Result<()> {
        tracing::info!("good night");
        Ok(())
    }
}

impl Moody {
    /// The password, which it must not tell.
    fn word(&self) -> &str {
        self.password.as_ref().map_or("nothing", Secret::expose)
    }
}

/// Never ends.
fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

/// What to do.
#[data]
#[serde(deny_unknown_fields)]
struct Wish {
    /// A number above zero.
    #[schemars(range(min = 1))]
    number: u32,
}

fn well(moody: &Moody, wish: Wish, _call: &CallContext<'_>) -> Result<String> {
    tracing::info!(number = wish.number, "as you wish");
    tracing::warn!("but not for ever");
    let word = moody.word.as_deref().unwrap_or("done");
    Ok(word.repeat(wish.number as usize))
}

fn fail(_: &Moody, _: &Value, _call: &CallContext<'_>) -> Result<Value> {
    Err(Error::new(ErrorKind::Transient, "the paper is out")
        .context("cannot print")
        .with_detail("tray", 2))
}

fn panics(_: &Moody, _: &Value, _call: &CallContext<'_>) -> Result<Value> {
    panic!("out of mood")
}

fn wait(_: &Moody, _: &Value, call: &CallContext<'_>) -> Result<Value> {
    if call.remaining().is_none() {
        return Ok("for ever".into());
    }
    loop {
        call.checkpoint()?;
        std::thread::yield_now();
    }
}

/// Takes as long as it is told.
fn once(_: &Moody, input: &Value, call: &CallContext<'_>) -> Result<Value> {
    let milliseconds = input.get("ms").and_then(Value::as_u64).unwrap_or_default();
    let end = std::time::Instant::now() + std::time::Duration::from_millis(milliseconds);
    while std::time::Instant::now() < end {
        call.checkpoint()?;
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Ok(Value::Null)
}

fn hangs(_: &Moody, _: &Value, _call: &CallContext<'_>) -> Result<Value> {
    hang()
}

/// Tells its password in every part of an error.
fn blab(moody: &Moody, _: &Value, _call: &CallContext<'_>) -> Result<Value> {
    let word = moody.word();
    Err(Error::execution(format!("not {word}"))
        .context(format!("tried {word}"))
        .with_detail("word", word))
}

fn misfit(_: &Moody, _: &Value, _call: &CallContext<'_>) -> Result<Value> {
    Err(Error::new(ErrorKind::InvalidParameters, "not like this"))
}

fn echo(_: &Moody, input: &Value, _call: &CallContext<'_>) -> Result<Value> {
    Ok(input.clone())
}

fn rows(_: &Moody, _: &Value, _call: &CallContext<'_>) -> Result<Value> {
    Ok(value!({
        "columns": ["city", "days", "photo"],
        "rows": [
            {"city": "Lund", "days": 12, "photo": Bytes::from(vec![1, 254])},
            {"city": "Århus\u{1b}[31m", "days": 3, "photo": null},
        ],
        "row_count": 2,
    }))
}

fn bytes(_: &Moody, _: &Value, _call: &CallContext<'_>) -> Result<Value> {
    Ok(Value::Bytes(Bytes::from(vec![0, 159, 27, 91, 51, 49, 109])))
}

fn nothing_to_write(_: &Moody, _: &Value, _call: &CallContext<'_>) -> Result<Value> {
    Ok(value!({"ratio": f64::NAN}))
}

export_plugin! {
    plugin: Moody,
    kind: "compute",
    executors: [
        /// Says a word as often as you wish.
        "moody.well" => well { category: "words", tags: ["example"], version: "2.0.0" },
        "moody.fail" => fail,
        "moody.panic" => panics,
        "moody.wait" => wait,
        "moody.hang" => hangs,
        "moody.blab" => blab,
        "moody.misfit" => misfit,
        "moody.echo" => echo,
        "moody.rows" => rows,
        "moody.bytes" => bytes,
        "moody.nan" => nothing_to_write,
        "moody.once" => once { idempotent: false },
    ],
}
