//! The whole embedded service: its options, its start, what it announces, its end.
//!
//! It holds the parts together and knows nothing of routes, signatures or tasks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::batch::Batch;
use super::behaviour::Behaviour;
use super::blob::Blob;
use super::clock::Clock;
use super::control::ControlPanel;
use super::exchange::Exchanges;
use super::faults::{Fault, Faults, Target};
use super::harm::Harmed;
use super::log::Log;
use super::orphan::remove_orphans;
use super::root::{Root, RootError};
use super::server;
use super::signature::Key;
use crate::secret::Secret;

/// What a service is started with. The default: free ports, fresh random keys, the system's directory for temporary
/// files, no log.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port of the Batch service on 127.0.0.1; 0 takes a free one.
    pub batch_port: u16,
    /// Port of the Blob service on 127.0.0.1; 0 takes a free one.
    pub blob_port: u16,
    /// Port of the control endpoint on 127.0.0.1; 0 takes a free one.
    pub control_port: u16,
    /// Name of the Batch account.
    pub batch_account: String,
    /// Key of the Batch account in Base64; a fresh random one if absent.
    pub batch_key: Option<Secret>,
    /// Name of the storage account.
    pub blob_account: String,
    /// Key of the storage account in Base64; a fresh random one if absent.
    pub blob_key: Option<Secret>,
    /// Directory in which the service makes its own, for nodes and blobs; the system's for temporary files if absent.
    pub node_root: Option<PathBuf>,
    /// Faults from the start on.
    pub faults: Vec<Fault>,
    /// How nodes, tasks, time and lists behave.
    pub behaviour: Behaviour,
    /// File to which every Batch request is added with its answer, as a line of JSON; none if absent.
    pub exchanges: Option<PathBuf>,
    /// Where log lines go.
    pub log: Log,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch_port: 0,
            blob_port: 0,
            control_port: 0,
            batch_account: "fanoutbatch".to_owned(),
            batch_key: None,
            blob_account: "fanoutstorage".to_owned(),
            blob_key: None,
            node_root: None,
            faults: Vec::new(),
            behaviour: Behaviour::default(),
            exchanges: None,
            log: Log::Off,
        }
    }
}

/// A service that could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken by another program.
    #[error("listen on 127.0.0.1:{port} for the {service} service: the port is in use")]
    PortInUse {
        /// `Batch`, `Blob` or `control`.
        service: &'static str,
        /// The port.
        port: u16,
    },
    /// The port could not be opened for another reason.
    #[error("listen on 127.0.0.1:{port} for the {service} service")]
    Listen {
        /// `Batch`, `Blob` or `control`.
        service: &'static str,
        /// The port.
        port: u16,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A given key is not Base64, or empty.
    #[error("read the key of the {service} account: it is not Base64")]
    Key {
        /// `Batch` or `Blob`.
        service: &'static str,
    },
    /// The service's directory could not be made.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The log of exchanges could not be opened.
    #[error("open the log of exchanges `{}`", .path.display())]
    Exchanges {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The client by which nodes fetch and upload could not be made.
    #[error("make the HTTP client of the nodes")]
    Client(#[source] reqwest::Error),
}

/// One of the two services, as a client needs it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// URL without a slash at its end; for Blob with the account as its path.
    pub endpoint: String,
    /// Account name.
    pub account: String,
    /// Account key in Base64.
    pub key: Secret,
}

/// The control endpoint.
#[derive(Debug, Clone)]
pub struct Control {
    /// URL without a slash at its end.
    pub url: String,
    /// What a request must carry as `Authorization: Bearer TOKEN`.
    pub token: Secret,
}

/// What a started service announces.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The Batch service.
    pub batch: Endpoint,
    /// The Blob service.
    pub blob: Endpoint,
    /// The control endpoint.
    pub control: Control,
    /// Process id of the service.
    pub pid: u32,
}

impl Ready {
    /// The announcement as one line of JSON without a line feed, keys and token included.
    #[must_use]
    pub fn json_line(&self) -> String {
        let endpoint = |endpoint: &Endpoint| json!({"endpoint": endpoint.endpoint, "account": endpoint.account, "key": endpoint.key.expose()});
        json!({
            "batch": endpoint(&self.batch),
            "blob": endpoint(&self.blob),
            "control": {"url": self.control.url, "token": self.control.token.expose()},
            "pid": self.pid,
        })
        .to_string()
    }

    /// The settings that `az`, the SDKs and `fanout` read, as `export NAME='VALUE'` lines for a POSIX shell. Only a connection
    /// string can say where Blob is; what clients read before it is unset.
    #[must_use]
    pub fn exports(&self) -> String {
        let connection = format!(
            "DefaultEndpointsProtocol=http;AccountName={};AccountKey={};BlobEndpoint={};",
            self.blob.account,
            self.blob.key.expose(),
            self.blob.endpoint,
        );
        let exports: String = [
            ("AZURE_BATCH_ACCOUNT", self.batch.account.as_str()),
            ("AZURE_BATCH_ACCOUNT_NAME", &self.batch.account),
            ("AZURE_BATCH_ACCESS_KEY", self.batch.key.expose()),
            ("AZURE_BATCH_ACCOUNT_KEY", self.batch.key.expose()),
            ("AZURE_BATCH_ENDPOINT", &self.batch.endpoint),
            ("AZURE_STORAGE_CONNECTION_STRING", &connection),
        ]
        .iter()
        .map(|(name, value)| format!("export {name}={}\n", quote(value)))
        .collect();
        format!("unset {READ_BEFORE}\n{exports}")
    }
}

/// Variables that clients read before the connection string, which then counts for nothing.
const READ_BEFORE: &str = "AZURE_STORAGE_ACCOUNT AZURE_STORAGE_ACCOUNT_NAME AZURE_STORAGE_KEY AZURE_STORAGE_ACCOUNT_KEY AZURE_STORAGE_SAS_TOKEN";

/// `text` in single quotes for a POSIX shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A running service. [`shutdown`](Self::shutdown) ends it in order; dropping it kills the processes and removes the
/// files too, but tells nobody of failures.
#[derive(Debug)]
pub struct Service {
    ready: Ready,
    batch: Arc<Batch>,
    clock: Arc<Clock>,
    servers: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    root: Root,
}

impl Service {
    /// Starts the Batch service, the Blob service and the control endpoint on 127.0.0.1. Must run inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// A port that cannot be opened, a directory that cannot be made, a key that is not Base64.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let batch_key = options.batch_key.clone().unwrap_or_else(Key::generate);
        let blob_key = options.blob_key.clone().unwrap_or_else(Key::generate);
        let decode = |key: &Secret, service| Key::decode(key).ok_or(StartError::Key { service });
        let batch_hmac = decode(&batch_key, "Batch")?;
        let blob_hmac = decode(&blob_key, "Blob")?;
        let (batch_listener, batch_address) = bind("Batch", options.batch_port).await?;
        let (blob_listener, blob_address) = bind("Blob", options.blob_port).await?;
        let (control_listener, control_address) = bind("control", options.control_port).await?;
        let parent = options.node_root.clone().unwrap_or_else(std::env::temp_dir);
        for line in remove_orphans(&parent) {
            options.log.line(&line);
        }
        let root = Root::create(&parent)?;
        let (stop, stopped) = watch::channel(false);
        let ready = announce(
            &options,
            [batch_address, blob_address, control_address],
            (batch_key, blob_key),
        );
        let clock = Arc::new(Clock::start(options.behaviour.is_frozen));
        let faults = Arc::new(Faults::default());
        options
            .faults
            .into_iter()
            .for_each(|fault| faults.add(fault));
        let (blobs, nodes) = (root.path().join("blobs"), root.path().join("nodes"));
        let blob = Blob::new(
            &ready.blob,
            blob_hmac,
            blobs,
            Arc::clone(&clock),
            options.log,
        );
        let exchanges = options.exchanges.as_deref().map(open_log).transpose()?;
        let batch = Batch::start(
            &ready.batch,
            batch_hmac,
            nodes,
            (Arc::clone(&faults), Arc::clone(&clock)),
            options.behaviour,
            (options.log, exchanges),
        )
        .map_err(StartError::Client)?;
        let panel = ControlPanel {
            faults: Arc::clone(&faults),
            clock: Arc::clone(&clock),
            batch: Arc::clone(&batch),
            token: ready.control.token.clone(),
        };
        let harmed_batch = Harmed::new(&batch, &faults, &clock, Target::Batch);
        let harmed_blob = Harmed::new(&Arc::new(blob), &faults, &clock, Target::Blob);
        let servers = vec![
            server::serve(batch_listener, Arc::new(harmed_batch), stopped.clone()),
            server::serve(blob_listener, Arc::new(harmed_blob), stopped.clone()),
            server::serve(control_listener, Arc::new(panel), stopped),
        ];
        Ok(Self {
            ready,
            batch,
            clock,
            servers,
            stop,
            root,
        })
    }

    /// Endpoints, accounts and keys.
    #[must_use]
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Moves the clock of the service forward by `duration`, as `POST /clock` of the control endpoint does: what is due by then
    /// happens in its order, each thing at its own time.
    pub async fn advance(&self, duration: Duration) {
        self.clock.advance(duration).await;
    }

    /// Ends the service: kills every process that its nodes started, closes every connection, removes every file.
    ///
    /// # Errors
    /// [`RootError::Remove`] if a file would not go.
    pub async fn shutdown(mut self) -> Result<(), RootError> {
        self.stop.send_replace(true);
        for server in self.servers.drain(..) {
            // A server that panicked has ended too.
            drop(server.await);
        }
        self.batch.stop().await;
        self.root.remove()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.batch.kill_all();
        self.stop.send_replace(true);
        for server in &self.servers {
            server.abort();
        }
    }
}

fn open_log(path: &std::path::Path) -> Result<Exchanges, StartError> {
    Exchanges::open(path).map_err(|source| StartError::Exchanges {
        path: path.to_owned(),
        source,
    })
}

async fn bind(
    service: &'static str,
    port: u16,
) -> Result<(tokio::net::TcpListener, SocketAddr), StartError> {
    server::bind(port).await.map_err(|source| {
        if source.kind() == std::io::ErrorKind::AddrInUse {
            StartError::PortInUse { service, port }
        } else {
            StartError::Listen {
                service,
                port,
                source,
            }
        }
    })
}

/// What the service tells its clients: addresses and keys of Batch, Blob and control.
fn announce(
    options: &Options,
    [batch_address, blob_address, control_address]: [SocketAddr; 3],
    (batch_key, blob_key): (Secret, Secret),
) -> Ready {
    Ready {
        batch: Endpoint {
            endpoint: format!("http://{batch_address}"),
            account: options.batch_account.clone(),
            key: batch_key,
        },
        blob: Endpoint {
            endpoint: format!("http://{blob_address}/{}", options.blob_account),
            account: options.blob_account.clone(),
            key: blob_key,
        },
        control: Control {
            url: format!("http://{control_address}"),
            token: Secret::new(format!("{:032x}", rand::random::<u128>())),
        },
        pid: std::process::id(),
    }
}
