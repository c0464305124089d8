//! Reading a formula: text to statements.
//!
//! It knows which names of the service exist, so that a wrong one is told before anything runs.

/// Longest formula, in characters.
pub(crate) const CHARACTERS_MAX: usize = 8192;

/// Variables that the service fills with samples.
const SAMPLED: [&str; 11] = [
    "$ActiveTasks",
    "$RunningTasks",
    "$PendingTasks",
    "$SucceededTasks",
    "$FailedTasks",
    "$TaskSlotsPerNode",
    "$CurrentDedicatedNodes",
    "$CurrentLowPriorityNodes",
    "$PreemptedNodeCount",
    "$UsableNodeCount",
    "$SampleNodeCount",
];

/// Variables of the service that have nothing to be measured here.
const UNMEASURED: [&str; 12] = [
    "$CPUPercent",
    "$WallClockSeconds",
    "$MemoryBytes",
    "$DiskBytes",
    "$DiskReadBytes",
    "$DiskWriteBytes",
    "$DiskReadOps",
    "$DiskWriteOps",
    "$NetworkInBytes",
    "$NetworkOutBytes",
    "$NodeDeallocationOptions",
    "$ComputeNodeFillTypes",
];

/// A formula that cannot be read or evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormulaError {
    /// It is not a formula.
    #[error("{0}")]
    Syntax(String),
    /// It uses what is not offered here.
    #[error("`{0}` in an autoscale formula")]
    Missing(String),
    /// It has no value now.
    #[error("{0}")]
    Evaluation(String),
}

/// A formula that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Formula {
    pub(super) statements: Vec<(String, Expression)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    Text(String),
    Name(String),
    Sampled(String),
    Negate(Box<Self>),
    Not(Box<Self>),
    Binary(Operator, Box<Self>, Box<Self>),
    Choice(Box<Self>, Box<Self>, Box<Self>),
    Call(String, Vec<Self>),
    /// A member of a value: `time().hour`, `$PendingTasks.GetSample(1)`.
    Member(Box<Self>, String, Option<Vec<Self>>),
    /// `v[i]`.
    Index(Box<Self>, Box<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Name(String),
    Sign(&'static str),
}

impl Formula {
    /// Reads `text`.
    ///
    /// # Errors
    /// [`FormulaError::Syntax`], or [`FormulaError::Missing`] for a variable that has nothing to be measured here.
    pub(crate) fn read(text: &str) -> Result<Self, FormulaError> {
        if text.chars().count() > CHARACTERS_MAX {
            return Err(FormulaError::Syntax(format!(
                "longer than {CHARACTERS_MAX} characters"
            )));
        }
        let tokens = tokenize(text)?;
        let mut reader = Reader { tokens: &tokens };
        let mut statements = Vec::new();
        while !reader.tokens.is_empty() {
            if reader.take(";") {
                continue;
            }
            let name = reader.name()?;
            reader.expect("=")?;
            statements.push((name, reader.expression()?));
            if !reader.tokens.is_empty() {
                reader.expect(";")?;
            }
        }
        Ok(Self { statements })
    }
}

const SIGNS: [&str; 22] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "!", "?", ":", "=", ";", ",",
    "(", ")", "[", "]",
];

fn tokenize(text: &str) -> Result<Vec<Token>, FormulaError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment
                .split_once("*/")
                .map_or("", |(_, tail)| tail)
                .trim_start();
            continue;
        }
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment
                .split_once('\n')
                .map_or("", |(_, tail)| tail)
                .trim_start();
            continue;
        }
        let is_of = |wanted: fn(char) -> bool| {
            rest.find(|character| !wanted(character))
                .unwrap_or(rest.len())
        };
        let (token, length) = if first.is_ascii_digit()
            || first == '.' && rest[1..].starts_with(|next: char| next.is_ascii_digit())
        {
            let length = is_of(|character| character.is_ascii_digit() || character == '.');
            let number = rest[..length].parse().map_err(|_malformed| {
                FormulaError::Syntax(format!("`{}` is not a number", &rest[..length]))
            })?;
            (Token::Number(number), length)
        } else if first.is_alphabetic() || first == '$' || first == '_' {
            let length = is_of(|character| {
                character.is_alphanumeric() || character == '_' || character == '$'
            });
            (Token::Name(rest[..length].to_owned()), length)
        } else if first == '"' {
            let end = rest[1..]
                .find('"')
                .ok_or_else(|| FormulaError::Syntax("a text does not end".to_owned()))?;
            (Token::Text(rest[1..=end].to_owned()), end + 2)
        } else if first == '.' {
            (Token::Sign("."), 1)
        } else {
            let sign = SIGNS
                .into_iter()
                .find(|sign| rest.starts_with(sign))
                .ok_or_else(|| FormulaError::Syntax(format!("unexpected `{first}`")))?;
            (Token::Sign(sign), sign.len())
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Reader<'a> {
    tokens: &'a [Token],
}

impl Reader<'_> {
    fn next(&mut self) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn take(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.tokens.first(), Some(Token::Sign(next)) if *next == sign);
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), FormulaError> {
        if self.take(sign) {
            return Ok(());
        }
        Err(FormulaError::Syntax(format!(
            "expected `{sign}`, found {:?}",
            self.tokens.first()
        )))
    }

    fn name(&mut self) -> Result<String, FormulaError> {
        match self.next() {
            Some(Token::Name(name)) => Ok(name),
            other => Err(FormulaError::Syntax(format!(
                "expected a name, found {other:?}"
            ))),
        }
    }

    fn expression(&mut self) -> Result<Expression, FormulaError> {
        let condition = self.binary(0)?;
        if !self.take("?") {
            return Ok(condition);
        }
        let yes = self.expression()?;
        self.expect(":")?;
        let no = self.expression()?;
        Ok(Expression::Choice(
            Box::new(condition),
            Box::new(yes),
            Box::new(no),
        ))
    }

    /// Operators from those that bind least to those that bind most.
    fn binary(&mut self, level: usize) -> Result<Expression, FormulaError> {
        const LEVELS: [&[(&str, Operator)]; 6] = [
            &[("||", Operator::Or)],
            &[("&&", Operator::And)],
            &[("==", Operator::Equal), ("!=", Operator::Unequal)],
            &[
                ("<=", Operator::LessOrEqual),
                (">=", Operator::GreaterOrEqual),
                ("<", Operator::Less),
                (">", Operator::Greater),
            ],
            &[("+", Operator::Add), ("-", Operator::Subtract)],
            &[("*", Operator::Multiply), ("/", Operator::Divide)],
        ];
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.take(sign)) {
            let right = self.binary(level + 1)?;
            left = Expression::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, FormulaError> {
        if self.take("-") {
            return Ok(Expression::Negate(Box::new(self.unary()?)));
        }
        if self.take("!") {
            return Ok(Expression::Not(Box::new(self.unary()?)));
        }
        let mut value = self.primary()?;
        loop {
            if self.take(".") {
                let member = self.name()?;
                let arguments = if self.take("(") {
                    Some(self.arguments()?)
                } else {
                    None
                };
                value = Expression::Member(Box::new(value), member, arguments);
            } else if self.take("[") {
                let index = self.expression()?;
                self.expect("]")?;
                value = Expression::Index(Box::new(value), Box::new(index));
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self) -> Result<Expression, FormulaError> {
        if self.take("(") {
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(inner);
        }
        match self.next() {
            Some(Token::Number(number)) => Ok(Expression::Number(number)),
            Some(Token::Text(text)) => Ok(Expression::Text(text)),
            Some(Token::Name(name)) if self.take("(") => {
                Ok(Expression::Call(name, self.arguments()?))
            }
            Some(Token::Name(name)) if SAMPLED.contains(&name.as_str()) => {
                Ok(Expression::Sampled(name))
            }
            Some(Token::Name(name)) if UNMEASURED.contains(&name.as_str()) => {
                Err(FormulaError::Missing(name))
            }
            Some(Token::Name(name)) => Ok(Expression::Name(name)),
            other => Err(FormulaError::Syntax(format!(
                "expected a value, found {other:?}"
            ))),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Expression>, FormulaError> {
        let mut arguments = Vec::new();
        if self.take(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            if !self.take(",") {
                self.expect(")")?;
                return Ok(arguments);
            }
        }
    }
}
