//! How values look on Batch's wire: enums in any letter case, numbers as strings, dates and durations.
//!
//! It knows no operation; bodies are in `body`, answers in `answer`.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};
use time::OffsetDateTime;

use crate::azure::http_date;

/// Defines an enum that is read in any letter case, keeps what it does not know, and is written as the service spells
/// it.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            /// A value that this client does not know, as the service wrote it.
            Unknown(String),
        }

        impl $name {
            /// Reads a value in any letter case.
            #[must_use]
            pub fn read(text: &str) -> Self {
                $(if text.eq_ignore_ascii_case($text) { return Self::$variant; })+
                Self::Unknown(text.to_owned())
            }

            /// The value as the service spells it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self { $(Self::$variant => $text,)+ Self::Unknown(text) => text }
            }
        }

        impl Default for $name {
            fn default() -> Self { Self::Unknown(String::new()) }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::read(&String::deserialize(deserializer)?))
            }
        }
    };
}

wire_enum! {
    /// The state of a pool.
    PoolState {
        /// It can be used.
        Active = "active",
        /// It is going away.
        Deleting = "deleting",
    }
}
wire_enum! {
    /// Whether a pool has the nodes that it should have.
    AllocationState {
        /// No change is under way; the target may still be missed (see the pool's resize errors).
        Steady = "steady",
        /// Nodes come or go.
        Resizing = "resizing",
        /// A change is being stopped.
        Stopping = "stopping",
    }
}
wire_enum! {
    /// The state of a node.
    NodeState {
        /// It runs nothing.
        Idle = "idle",
        /// It restarts.
        Rebooting = "rebooting",
        /// Its system is installed anew.
        Reimaging = "reimaging",
        /// It runs tasks.
        Running = "running",
        /// It cannot be used.
        Unusable = "unusable",
        /// Its machine is being made.
        Creating = "creating",
        /// Its agent starts.
        Starting = "starting",
        /// Its start task runs.
        WaitingForStartTask = "waitingforstarttask",
        /// Its start task failed for good.
        StartTaskFailed = "starttaskfailed",
        /// The service lost contact.
        Lost = "unknown",
        /// It is being removed.
        LeavingPool = "leavingpool",
        /// It takes no tasks.
        Offline = "offline",
        /// Its spot machine was taken away.
        Preempted = "preempted",
        /// Its system is being upgraded.
        UpgradingOs = "upgradingos",
        /// Its machine is stopped.
        Deallocated = "deallocated",
        /// Its machine is being stopped.
        Deallocating = "deallocating",
    }
}
wire_enum! {
    /// The state of a job.
    JobState {
        /// Its tasks run.
        Active = "active",
        /// It is being disabled.
        Disabling = "disabling",
        /// Its tasks wait.
        Disabled = "disabled",
        /// It is being enabled.
        Enabling = "enabling",
        /// It is ending.
        Terminating = "terminating",
        /// It has ended.
        Completed = "completed",
        /// It is going away.
        Deleting = "deleting",
    }
}
wire_enum! {
    /// The state of a task.
    TaskState {
        /// It waits for a node.
        Active = "active",
        /// Its node runs the job's preparation.
        Preparing = "preparing",
        /// It runs, its downloads included.
        Running = "running",
        /// It has ended, well or not.
        Completed = "completed",
    }
}
wire_enum! {
    /// The state of a start, preparation or release task.
    RunState {
        /// It runs.
        Running = "running",
        /// It has ended, well or not.
        Completed = "completed",
    }
}
wire_enum! {
    /// How a task ended.
    ResultKind {
        /// Well.
        Success = "success",
        /// Not well.
        Failure = "failure",
    }
}
wire_enum! {
    /// Whose fault a failure is.
    ErrorCategory {
        /// The user's, such as an exit code.
        UserError = "usererror",
        /// The service's.
        ServerError = "servererror",
    }
}
wire_enum! {
    /// What happens when all tasks of a job are completed.
    OnAllTasksComplete {
        /// Nothing.
        NoAction = "noaction",
        /// The job ends; set at creation it ends a job without tasks at once.
        TerminateJob = "terminatejob",
    }
}
wire_enum! {
    /// Whose user a task runs as.
    AutoUserScope {
        /// One of its own.
        Task = "task",
        /// One for all tasks of a pool.
        Pool = "pool",
    }
}
wire_enum! {
    /// What that user may do.
    ElevationLevel {
        /// What any user may.
        NonAdmin = "nonadmin",
        /// Everything.
        Admin = "admin",
    }
}
wire_enum! {
    /// When an output file is uploaded.
    UploadCondition {
        /// After exit code 0.
        TaskSuccess = "tasksuccess",
        /// After any other.
        TaskFailure = "taskfailure",
        /// After either.
        TaskCompletion = "taskcompletion",
    }
}

/// A moment, as ISO 8601 on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub OffsetDateTime);

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let shown: String = text.chars().take(40).collect();
        http_date::from_iso(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("`{shown}` is not a date")))
    }
}

/// A duration, as ISO 8601 in whole seconds on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsoDuration(pub Duration);

impl From<Duration> for IsoDuration {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl Serialize for IsoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&http_date::to_iso_duration(self.0))
    }
}

/// Reads a whole number that the service may write as a string.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    match Option::<Either>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Either::Number(n)) => Ok(Some(n)),
        Some(Either::Text(text)) => {
            let shown: String = text.chars().take(40).collect();
            text.trim()
                .parse()
                .map(Some)
                .map_err(|e| D::Error::custom(format_args!("`{shown}`: {e}")))
        }
    }
}

/// Reads `null` as the default.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enums_are_read_in_any_case_and_keep_what_they_do_not_know() {
        let read = |text| serde_json::from_str::<TaskState>(text).unwrap();
        assert_eq!(read("\"Completed\""), TaskState::Completed);
        assert_eq!(
            read("\"hibernating\""),
            TaskState::Unknown("hibernating".to_owned())
        );
        assert_eq!(
            serde_json::to_string(&TaskState::Running).unwrap(),
            "\"running\""
        );
        assert_eq!(NodeState::read("unknown"), NodeState::Lost);
    }

    #[test]
    fn numbers_come_as_numbers_and_as_strings() {
        #[derive(Deserialize)]
        struct Holder {
            #[serde(default, deserialize_with = "number")]
            n: Option<i64>,
        }
        let read = |text| serde_json::from_str::<Holder>(text).map(|h| h.n);
        assert_eq!(read(r#"{"n":17}"#).unwrap(), Some(17));
        assert_eq!(read(r#"{"n":"17"}"#).unwrap(), Some(17));
        assert_eq!(read(r#"{"n":null}"#).unwrap(), None);
        assert_eq!(read("{}").unwrap(), None);
        assert!(read(r#"{"n":"many"}"#).is_err());
    }

    #[test]
    fn dates_have_seven_digits_of_seconds_or_are_named_as_wrong() {
        let read = |text| serde_json::from_str::<Timestamp>(text);
        assert!(read("\"2026-11-20T10:15:31.1234567Z\"").is_ok());
        assert!(
            read("\"tomorrow\"")
                .unwrap_err()
                .to_string()
                .contains("`tomorrow` is not a date")
        );
    }
}
