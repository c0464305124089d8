//! How bodies and answers are defined: what is not set is left out, what is absent has a default.
//!
//! It holds the two macros and no type of the service.

/// Defines a body: its optional members are left out when not set.
macro_rules! body {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$rmeta:meta])* $required:ident: $rtype:ty,)* ;
        $($(#[$ometa:meta])* $optional:ident: $otype:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$rmeta])* pub $required: $rtype,)*
            $($(#[$ometa])* #[serde(skip_serializing_if = "Option::is_none")] pub $optional: Option<$otype>,)*
        }
    };
}

/// Defines an answer: the members before `;` have a default when absent, those after are optional.
macro_rules! answer {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$dmeta:meta])* $default:ident: $dtype:ty,)* ;
        $($(#[$ometa:meta])* $optional:ident: $otype:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$dmeta])* #[serde(default, deserialize_with = "or_default")] pub $default: $dtype,)*
            $($(#[$ometa])* #[serde(default)] pub $optional: Option<$otype>,)*
        }
    };
}
