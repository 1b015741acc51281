//! A server that answers when what it was sent is on the disk: one line a record, one line with its LSN back.
//! async_server serves [ADDRESS] until it is stopped; without one it talks to itself and ends.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use walctl::Log;

async fn serve(stream: TcpStream, log: Log) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        // No thread waits here: all connections that append at this moment share one sync.
        let answer = match log.append_async(line).await {
            Ok(ack) => format!("{}\n", ack.lsn),
            Err(error) => format!("error: {error}\n"),
        };
        write.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

async fn accept(listener: TcpListener, log: Log) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, log.clone()));
    }
}

/// Sends ten lines, one after the other, and reads the answers.
async fn talk(address: std::net::SocketAddr) -> std::io::Result<Vec<u64>> {
    let (read, mut write) = TcpStream::connect(address).await?.into_split();
    let mut answers = BufReader::new(read).lines();
    let mut lsns = Vec::new();
    for number in 0..10 {
        write.write_all(format!("message {number}\n").as_bytes()).await?;
        let answer = answers.next_line().await?.unwrap_or_default();
        lsns.push(answer.parse().map_err(|_| std::io::Error::other(answer))?);
    }
    Ok(lsns)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let log = Log::open(folder.path().join("wal"))?;
    if let Some(address) = std::env::args().nth(1) {
        return Ok(accept(TcpListener::bind(address).await?, log).await?);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(accept(listener, log.clone()));
    let clients: Vec<_> = (0..20).map(|_| tokio::spawn(talk(address))).collect();
    let mut lsns = Vec::new();
    for client in clients {
        lsns.extend(client.await??);
    }
    lsns.sort_unstable();
    assert_eq!(lsns, (1..=200).collect::<Vec<u64>>());
    println!("200 messages acknowledged in {} syncs", log.counts().syncs);
    server.abort();
    Ok(())
}
