// node-postgres, the client under most JavaScript tools: a prepared statement, rows by a cursor, an error's code.
const { Client } = require('pg');
const Cursor = require('pg-cursor');

(async () => {
  const client = new Client({ host: '127.0.0.1', port: Number(process.argv[2]), user: 'ann', database: 'throughline' });
  await client.connect();
  const named = { name: 'open', text: 'SELECT journey, count(*)::int AS n FROM fct_journey WHERE status = $1 GROUP BY 1', values: ['open'] };
  await client.query(named);
  const { rows } = await client.query(named);
  const cursor = client.query(new Cursor('SELECT journey_id FROM fct_journey'));
  const first = await cursor.read(100);
  await cursor.close();
  const code = await client.query('DELETE FROM fct_journey').then(() => 'none', (error) => error.code);
  await client.end();
  if (code !== '25006' || first.length !== 100) throw new Error(`code ${code}, ${first.length} rows`);
  console.log(`${rows.length} rows twice, 100 by a cursor, DELETE refused with ${code}`);
})().catch((error) => { console.error(error.message); process.exit(1); });
