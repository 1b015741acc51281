//! What reading a log of Redis or Valkey shows.
