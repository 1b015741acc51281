-- walctl dump LOG --json | duckdb -f records.sql: the records of a log as a Parquet file, in one statement.
COPY (
    SELECT lsn, kind, "time", tag, file, "offset", length, payload, payload_base64, coalesce(after_damage, false) AS after_damage, meta
    FROM read_json('/dev/stdin', format = 'newline_delimited', columns = {
        lsn: 'UBIGINT', kind: 'VARCHAR', "time": 'TIMESTAMP', tag: 'UBIGINT', file: 'VARCHAR', "offset": 'UBIGINT', length: 'UBIGINT',
        payload: 'VARCHAR', payload_base64: 'VARCHAR', after_damage: 'BOOLEAN', meta: 'JSON'
    })
) TO 'records.parquet' (FORMAT parquet, COMPRESSION zstd);
