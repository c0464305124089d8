//! What a formula wants now: statements to targets.
//!
//! It changes no pool; `batch::autoscale` does.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

use super::syntax::{Expression, Formula, FormulaError, Operator};
use super::value::{
    Outcome, Value, binary, call, interval, is_true, number_of, part, show, truth, wrong,
};

/// How often the service takes samples.
const SAMPLE_SECONDS: i64 = 30;

/// The counts of a pool at one time, in the order of `$ActiveTasks` … as `Metrics::value` names them.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) time: OffsetDateTime,
    pub(crate) values: BTreeMap<&'static str, f64>,
}

/// What a formula sees.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) now: OffsetDateTime,
    /// Oldest first.
    pub(crate) samples: Vec<Sample>,
    /// The counts now; also the targets, under their own names.
    pub(crate) current: BTreeMap<&'static str, f64>,
}

/// What a formula wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Scale {
    pub(crate) dedicated: Option<usize>,
    pub(crate) spot: Option<usize>,
    /// Name of the deallocation option.
    pub(crate) option: Option<String>,
    /// Every variable with its value, as `AutoScaleRun.results` shows them.
    pub(crate) results: String,
}

/// Evaluates `formula` with `metrics`.
///
/// # Errors
/// [`FormulaError::Evaluation`] for a value that does not exist, [`FormulaError::Missing`] for a function that is not
/// offered.
pub(crate) fn evaluate(formula: &Formula, metrics: &Metrics) -> Result<Scale, FormulaError> {
    let mut scope = Scope {
        metrics,
        variables: BTreeMap::new(),
    };
    let mut order = Vec::new();
    for (name, expression) in &formula.statements {
        let value = scope.value(expression)?;
        order.retain(|known| known != name);
        order.push(name.clone());
        scope.variables.insert(name.clone(), value);
    }
    let mut scale = Scale::default();
    for name in order {
        let Some(value) = scope.variables.get(&name) else {
            continue;
        };
        match (name.as_str(), value) {
            ("$TargetDedicatedNodes" | "$TargetDedicated", Value::Number(number)) => {
                scale.dedicated = Some(nodes(*number)?);
            }
            ("$TargetLowPriorityNodes", Value::Number(number)) => {
                scale.spot = Some(nodes(*number)?);
            }
            ("$NodeDeallocationOption", Value::Text(option)) => scale.option = Some(option.clone()),
            (
                "$TargetDedicatedNodes" | "$TargetLowPriorityNodes" | "$NodeDeallocationOption",
                _,
            ) => {
                return Err(FormulaError::Evaluation(format!(
                    "`{name}` has the wrong type"
                )));
            }
            _ => {}
        }
        scale.results = format!("{}{name}={};", scale.results, show(value));
    }
    Ok(scale)
}

/// Dedicated nodes and deallocation option that `text` gives at `now`, when the samples of each half minute up to then
/// saw `pending` tasks: to try a formula without a pool.
#[cfg(test)]
pub(crate) fn try_formula(
    text: &str,
    now: OffsetDateTime,
    pending: &[u32],
) -> Option<(usize, String)> {
    let samples = pending.iter().rev().zip(0..).map(|(count, age)| Sample {
        time: now - Duration::seconds(30 * age),
        values: [("$PendingTasks", f64::from(*count))].into(),
    });
    let mut samples: Vec<Sample> = samples.collect();
    samples.reverse();
    let metrics = Metrics {
        now,
        samples,
        current: BTreeMap::new(),
    };
    let scale = evaluate(&Formula::read(text).ok()?, &metrics).ok()?;
    Some((scale.dedicated?, scale.option?))
}

/// A target from a number: whole nodes, none for less than none.
fn nodes(number: f64) -> Result<usize, FormulaError> {
    /// More than any pool may have.
    const NODES_MAX: f64 = 1e6;
    if !number.is_finite() || number > NODES_MAX {
        return Err(FormulaError::Evaluation(format!(
            "{number} is not a number of nodes"
        )));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1e6 by the lines above"
    )]
    Ok(number.max(0.0).trunc() as usize)
}

struct Scope<'a> {
    metrics: &'a Metrics,
    variables: BTreeMap<String, Value>,
}

impl Scope<'_> {
    fn value(&self, expression: &Expression) -> Outcome {
        match expression {
            Expression::Number(number) => Ok(Value::Number(*number)),
            Expression::Text(text) => Ok(Value::Text(text.clone())),
            Expression::Name(name) => self.name(name),
            Expression::Sampled(name) => self.current(name),
            Expression::Negate(inner) => match self.value(inner)? {
                Value::Number(number) => Ok(Value::Number(-number)),
                Value::Interval(interval) => Ok(Value::Interval(-interval)),
                other => Err(wrong("-", &other)),
            },
            Expression::Not(inner) => Ok(truth(!is_true(&self.value(inner)?)?)),
            Expression::Choice(condition, yes, no) => {
                self.value(if is_true(&self.value(condition)?)? {
                    yes
                } else {
                    no
                })
            }
            Expression::Binary(Operator::And, left, right) => Ok(truth(
                is_true(&self.value(left)?)? && is_true(&self.value(right)?)?,
            )),
            Expression::Binary(Operator::Or, left, right) => Ok(truth(
                is_true(&self.value(left)?)? || is_true(&self.value(right)?)?,
            )),
            Expression::Binary(operator, left, right) => {
                binary(*operator, self.value(left)?, self.value(right)?)
            }
            Expression::Call(name, arguments) => {
                let arguments = arguments
                    .iter()
                    .map(|argument| self.value(argument))
                    .collect::<Result<_, _>>()?;
                call(name, arguments, self.metrics.now)
            }
            Expression::Member(object, member, arguments) => {
                self.member(object, member, arguments.as_deref())
            }
            Expression::Index(vector, index) => match (self.value(vector)?, self.value(index)?) {
                (Value::Vector(numbers), Value::Number(index)) => nodes(index)
                    .ok()
                    .and_then(|index| numbers.get(index).copied())
                    .map(Value::Number)
                    .ok_or_else(|| {
                        FormulaError::Evaluation(format!(
                            "no element {index} in a vector of {}",
                            numbers.len()
                        ))
                    }),
                (other, _) => Err(wrong("[]", &other)),
            },
        }
    }

    fn name(&self, name: &str) -> Outcome {
        if let Some(value) = self.variables.get(name) {
            return Ok(value.clone());
        }
        if let Some(unit) = name.strip_prefix("TimeInterval_") {
            return interval(unit)
                .map(Value::Interval)
                .ok_or_else(|| FormulaError::Evaluation(format!("unknown interval `{name}`")));
        }
        match name {
            "requeue" | "terminate" | "taskcompletion" => Ok(Value::Text(name.to_owned())),
            "retaineddata" => Err(FormulaError::Missing(name.to_owned())),
            "true" => Ok(truth(true)),
            "false" => Ok(truth(false)),
            "$TargetDedicatedNodes" | "$TargetLowPriorityNodes" => self.current(name),
            _ => Err(FormulaError::Evaluation(format!(
                "unknown variable `{name}`"
            ))),
        }
    }

    fn current(&self, name: &str) -> Outcome {
        self.metrics
            .current
            .get(name)
            .copied()
            .map(Value::Number)
            .ok_or_else(|| FormulaError::Evaluation(format!("unknown variable `{name}`")))
    }

    fn member(
        &self,
        object: &Expression,
        member: &str,
        arguments: Option<&[Expression]>,
    ) -> Outcome {
        let Some(arguments) = arguments else {
            return match self.value(object)? {
                Value::Time(time) => part(time, member),
                other => Err(wrong(member, &other)),
            };
        };
        let Expression::Sampled(name) = object else {
            return Err(FormulaError::Evaluation(format!(
                "`{member}` is a method of samples"
            )));
        };
        let arguments: Vec<Value> = arguments
            .iter()
            .map(|argument| self.value(argument))
            .collect::<Result<_, _>>()?;
        match member {
            "GetSample" => self.samples(name, &arguments),
            "GetSamplePercent" => {
                let (from, to) = self.span(&arguments)?;
                Ok(Value::Number(self.percent(from, to)))
            }
            "GetSamplePeriod" => Ok(Value::Interval(Duration::seconds(SAMPLE_SECONDS))),
            "Count" => Ok(number_of(self.metrics.samples.len())),
            "HistoryBeginTime" => Ok(Value::Time(
                self.metrics
                    .samples
                    .first()
                    .map_or(self.metrics.now, |sample| sample.time),
            )),
            _ => Err(FormulaError::Missing(format!("{name}.{member}"))),
        }
    }

    /// `GetSample(count)`, `GetSample(start [, end] [, percent])`: the values, newest last.
    fn samples(&self, name: &str, arguments: &[Value]) -> Outcome {
        let value = |sample: &Sample| sample.values.get(name).copied().unwrap_or_default();
        let all = &self.metrics.samples;
        if let [Value::Number(count)] = arguments {
            let count = nodes(*count)?;
            return match all.len().checked_sub(count) {
                Some(start) => Ok(Value::Vector(all[start..].iter().map(value).collect())),
                None => Err(FormulaError::Evaluation(format!(
                    "{count} samples of {name} are not there yet"
                ))),
            };
        }
        let (span, least) = match arguments {
            [span @ .., Value::Number(percent)] => (span, *percent),
            span => (span, 0.0),
        };
        let (from, to) = self.span(span)?;
        let percent = self.percent(from, to);
        if percent < least {
            return Err(FormulaError::Evaluation(format!(
                "{percent}% of the samples of {name} are there, {least}% are demanded"
            )));
        }
        let within = all
            .iter()
            .filter(|sample| (from..=to).contains(&sample.time));
        Ok(Value::Vector(within.map(value).collect()))
    }

    fn span(&self, arguments: &[Value]) -> Result<(OffsetDateTime, OffsetDateTime), FormulaError> {
        let now = self.metrics.now;
        let at = |value: &Value| match value {
            Value::Time(time) => Ok(*time),
            Value::Interval(interval) => Ok(now - *interval),
            other => Err(wrong("GetSample", other)),
        };
        match arguments {
            [from] => Ok((at(from)?, now)),
            [from, to] => Ok((at(from)?, at(to)?)),
            _ => Err(FormulaError::Evaluation(
                "samples need a start and perhaps an end".to_owned(),
            )),
        }
    }

    /// How much of what should have been sampled in a span is there.
    fn percent(&self, from: OffsetDateTime, to: OffsetDateTime) -> f64 {
        let expected = ((to - from).whole_seconds() / SAMPLE_SECONDS).max(1);
        let there = self
            .metrics
            .samples
            .iter()
            .filter(|sample| (from..=to).contains(&sample.time))
            .count();
        let there = i64::try_from(there).unwrap_or(i64::MAX).min(expected);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a percentage of counts far below 2^52"
        )]
        {
            there as f64 * 100.0 / expected as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn metrics(pending: &[f64]) -> Metrics {
        let count = i64::try_from(pending.len()).expect("few");
        let samples = (0..).zip(pending).map(|(index, value)| Sample {
            time: NOW - Duration::seconds(SAMPLE_SECONDS * (count - 1 - index)),
            values: BTreeMap::from([("$PendingTasks", *value)]),
        });
        let current = BTreeMap::from([
            ("$CurrentDedicatedNodes", 2.0),
            ("$TargetDedicatedNodes", 2.0),
        ]);
        Metrics {
            now: NOW,
            samples: samples.collect(),
            current,
        }
    }

    fn dedicated(text: &str, pending: &[f64]) -> Result<Option<usize>, FormulaError> {
        evaluate(&Formula::read(text)?, &metrics(pending)).map(|scale| scale.dedicated)
    }

    #[test]
    fn the_formula_of_the_documentation_is_understood() {
        let text = "startingNumberOfVMs = 1; maxNumberofVMs = 25;
            pendingTaskSamplePercent = $PendingTasks.GetSamplePercent(180 * TimeInterval_Second);
            pendingTaskSamples = pendingTaskSamplePercent < 70 ? startingNumberOfVMs : avg($PendingTasks.GetSample(180 * TimeInterval_Second));
            $TargetDedicatedNodes=min(maxNumberofVMs, pendingTaskSamples);
            $NodeDeallocationOption = taskcompletion;";
        assert_eq!(dedicated(text, &[]), Ok(Some(1)));
        assert_eq!(dedicated(text, &[4.0; 6]), Ok(Some(4)));
        assert_eq!(dedicated(text, &[400.0; 6]), Ok(Some(25)));
        let scale = evaluate(&Formula::read(text).expect("formula"), &metrics(&[])).expect("value");
        assert_eq!(scale.option.as_deref(), Some("taskcompletion"));
        assert!(
            scale.results.contains("$TargetDedicatedNodes=1;"),
            "{}",
            scale.results
        );
    }

    #[test]
    fn a_deadline_ends_a_pool() {
        let text = |deadline: &str| {
            format!(
                "$TargetDedicatedNodes = time() < time(\"{deadline}\") && $PendingTasks.GetSamplePercent(TimeInterval_Minute * 5) < 50 ? 4 : 0;"
            )
        };
        assert_eq!(dedicated(&text("2026-11-22T12:00:00Z"), &[]), Ok(Some(4)));
        assert_eq!(dedicated(&text("2026-11-22T09:00:00Z"), &[]), Ok(Some(0)));
    }

    #[test]
    fn operators_bind_as_in_c() {
        for (text, value) in [
            ("1 + 2 * 3", 7),
            ("(1 + 2) * 3", 9),
            ("10 - 2 - 3", 5),
            ("1 < 2 && 2 < 1 || 1", 1),
            ("0 ? 1 : 1 ? 2 : 3", 2),
            ("!0 + 1", 2),
            ("time().hour + time().weekday", 10),
            ("(TimeInterval_Hour / TimeInterval_Minute)", 60),
            ("max($PendingTasks.GetSample(2))", 9),
            ("$PendingTasks.GetSample(3)[0] + $PendingTasks.Count()", 10),
            ("$CurrentDedicatedNodes + 1.9", 3),
            ("-5", 0),
            (
                "len($PendingTasks.GetSample(time() - TimeInterval_Minute, time()))",
                3,
            ),
        ] {
            assert_eq!(
                dedicated(&format!("$TargetDedicatedNodes={text}"), &[7.0, 8.0, 9.0]),
                Ok(Some(value)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        for text in [
            "1/0",
            "x",
            "min()",
            "$PendingTasks.GetSample(9)",
            "time(\"x\")",
            "\"a\" + 1",
            "$PendingTasks.GetSample(TimeInterval_Hour, 50)",
            "time() + time()",
        ] {
            let result = dedicated(&format!("$TargetDedicatedNodes={text}"), &[1.0]);
            assert!(
                matches!(result, Err(FormulaError::Evaluation(_))),
                "{text}: {result:?}"
            );
        }
        for text in [
            "1 +",
            "$TargetDedicatedNodes 1",
            "$TargetDedicatedNodes = (1",
            "a = \"b",
            "a = #",
        ] {
            assert!(
                matches!(Formula::read(text), Err(FormulaError::Syntax(_))),
                "{text}"
            );
        }
        for text in [
            "a = $CPUPercent.GetSample(1)",
            "$TargetDedicatedNodes = std(1)",
        ] {
            assert!(
                matches!(dedicated(text, &[]), Err(FormulaError::Missing(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_spoiled_formula_is_evaluated_or_refused() {
        let seeds = [
            "$TargetDedicatedNodes = (time() < time(\"Sun, 22 Nov 2026 10:00:00 GMT\")) ? 4 : 0; $NodeDeallocationOption = requeue;",
            "n = $PendingTasks.GetSamplePercent(5 * TimeInterval_Minute); $TargetDedicatedNodes = n < 70 ? max(0, $PendingTasks.GetSample(1)) : avg($PendingTasks.GetSample(2)) / len($PendingTasks.GetSample(3));",
        ];
        let tokens = [
            "(",
            ")",
            "[",
            "-",
            "!",
            "?",
            ":",
            "1e308",
            "/0",
            "%",
            "time(",
            "\"",
            "$TargetDedicatedNodes=",
            "&&",
            "max(",
        ];
        crate::spoil::spoiled(&seeds, &tokens, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            if let Ok(formula) = Formula::read(&text) {
                drop(evaluate(&formula, &metrics(&[1.0, 2.0])));
            }
        });
    }
}
