//! Values of formulas, and what can be done with them.
//!
//! It knows no variables, samples or pools.

use time::{Duration, OffsetDateTime};

use super::syntax::{FormulaError, Operator};
use crate::emulator::stamp::{iso, parse_iso};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Vector(Vec<f64>),
    Text(String),
    Time(OffsetDateTime),
    Interval(Duration),
}

pub(super) type Outcome = Result<Value, FormulaError>;

pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Time(time) => iso(*time),
        Value::Interval(interval) => interval.to_string(),
        Value::Vector(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
            format!("[{}]", numbers.join(","))
        }
    }
}

pub(super) fn truth(is_true: bool) -> Value {
    Value::Number(if is_true { 1.0 } else { 0.0 })
}

pub(super) fn is_true(value: &Value) -> Result<bool, FormulaError> {
    match value {
        Value::Number(number) => Ok(*number != 0.0),
        other => Err(wrong("a condition", other)),
    }
}

pub(super) fn number_of(count: usize) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    Value::Number(count as f64)
}

pub(super) fn wrong(operation: &str, value: &Value) -> FormulaError {
    FormulaError::Evaluation(format!("`{operation}` does not go with {}", show(value)))
}

pub(super) fn interval(unit: &str) -> Option<Duration> {
    Some(match unit {
        "Zero" => Duration::ZERO,
        "100ns" => Duration::nanoseconds(100),
        "Microsecond" => Duration::MICROSECOND,
        "Millisecond" => Duration::MILLISECOND,
        "Second" => Duration::SECOND,
        "Minute" => Duration::MINUTE,
        "Hour" => Duration::HOUR,
        "Day" => Duration::DAY,
        "Week" => Duration::WEEK,
        "Year" => Duration::days(365),
        _ => return None,
    })
}

pub(super) fn part(time: OffsetDateTime, member: &str) -> Outcome {
    let number = match member {
        "year" => time.year(),
        "month" => i32::from(u8::from(time.month())),
        "day" => i32::from(time.day()),
        "hour" => i32::from(time.hour()),
        "minute" => i32::from(time.minute()),
        "second" => i32::from(time.second()),
        "weekday" => i32::from(time.weekday().number_days_from_sunday()),
        _ => {
            return Err(FormulaError::Evaluation(format!(
                "a time has no `{member}`"
            )));
        }
    };
    Ok(Value::Number(number.into()))
}

pub(super) fn binary(operator: Operator, left: Value, right: Value) -> Outcome {
    use Operator::{Add, Divide, Multiply, Subtract};
    use Value::{Interval, Number, Time, Vector};
    let each = |left: Vec<f64>, right: f64| {
        Ok(Vector(
            left.into_iter()
                .map(|left| arithmetic(operator, left, right))
                .collect::<Result<_, _>>()?,
        ))
    };
    match (operator, left, right) {
        (Add | Subtract | Multiply | Divide, Number(left), Number(right)) => {
            arithmetic(operator, left, right).map(Number)
        }
        (Add | Subtract | Multiply | Divide, Vector(left), Number(right)) => each(left, right),
        (Add | Multiply, Number(left), Vector(right)) => each(right, left),
        (Multiply, Number(factor), Interval(interval))
        | (Multiply, Interval(interval), Number(factor)) => scaled(interval, factor),
        (Divide, Interval(interval), Number(by)) if by != 0.0 => scaled(interval, 1.0 / by),
        (Divide, Interval(left), Interval(right)) if !right.is_zero() => {
            Ok(Number(left.as_seconds_f64() / right.as_seconds_f64()))
        }
        (Add, Interval(left), Interval(right)) => Ok(Interval(left + right)),
        (Subtract, Interval(left), Interval(right)) => Ok(Interval(left - right)),
        (Add, Time(time), Interval(interval)) | (Add, Interval(interval), Time(time)) => {
            shifted(time, interval)
        }
        (Subtract, Time(time), Interval(interval)) => shifted(time, -interval),
        (Subtract, Time(left), Time(right)) => Ok(Interval(left - right)),
        (Add | Subtract | Multiply | Divide, left, _) => Err(wrong("arithmetic", &left)),
        (_, left, right) => compare(operator, &left, &right),
    }
}

fn arithmetic(operator: Operator, left: f64, right: f64) -> Result<f64, FormulaError> {
    match operator {
        Operator::Add => Ok(left + right),
        Operator::Subtract => Ok(left - right),
        Operator::Multiply => Ok(left * right),
        _ if right == 0.0 => Err(FormulaError::Evaluation("division by zero".to_owned())),
        _ => Ok(left / right),
    }
}

fn scaled(interval: Duration, factor: f64) -> Outcome {
    Duration::checked_seconds_f64(interval.as_seconds_f64() * factor)
        .map(Value::Interval)
        .ok_or_else(|| FormulaError::Evaluation("an interval is too long".to_owned()))
}

fn shifted(time: OffsetDateTime, interval: Duration) -> Outcome {
    time.checked_add(interval)
        .map(Value::Time)
        .ok_or_else(|| FormulaError::Evaluation("a time is out of range".to_owned()))
}

fn compare(operator: Operator, left: &Value, right: &Value) -> Outcome {
    let order = match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Time(left), Value::Time(right)) => Some(left.cmp(right)),
        (Value::Interval(left), Value::Interval(right)) => Some(left.cmp(right)),
        _ => return Err(wrong("a comparison", left)),
    };
    Ok(truth(match operator {
        Operator::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
        Operator::Unequal => order.is_none_or(std::cmp::Ordering::is_ne),
        Operator::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        Operator::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
        Operator::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
        _ => order.is_some_and(std::cmp::Ordering::is_ge),
    }))
}

pub(super) fn call(name: &str, arguments: Vec<Value>, now: OffsetDateTime) -> Outcome {
    match (name, arguments.as_slice()) {
        ("time", []) => return Ok(Value::Time(now)),
        ("time", [Value::Text(text)]) => {
            return parse_iso(text)
                .map(Value::Time)
                .ok_or_else(|| FormulaError::Evaluation(format!("`{text}` is not a time")));
        }
        _ => {}
    }
    let mut numbers = Vec::new();
    for argument in arguments {
        match argument {
            Value::Number(number) => numbers.push(number),
            Value::Vector(vector) => numbers.extend(vector),
            other => return Err(wrong(name, &other)),
        }
    }
    let nothing = || FormulaError::Evaluation(format!("`{name}` of nothing"));
    let of_one =
        |function: fn(f64) -> f64| numbers.first().copied().map(function).ok_or_else(nothing);
    let number = match name {
        "min" => numbers
            .iter()
            .copied()
            .reduce(f64::min)
            .ok_or_else(nothing)?,
        "max" => numbers
            .iter()
            .copied()
            .reduce(f64::max)
            .ok_or_else(nothing)?,
        "sum" => numbers.iter().sum(),
        "avg" => {
            let Value::Number(count) = number_of(numbers.len()) else {
                return Err(nothing());
            };
            arithmetic(Operator::Divide, numbers.iter().sum(), count)
                .map_err(|_of_none| nothing())?
        }
        "len" => return Ok(number_of(numbers.len())),
        "ceil" => of_one(f64::ceil)?,
        "floor" => of_one(f64::floor)?,
        "round" => of_one(f64::round)?,
        other => return Err(FormulaError::Missing(format!("{other}()"))),
    };
    Ok(Value::Number(number))
}
