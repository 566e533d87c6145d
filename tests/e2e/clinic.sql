-- A clinic made up for the tests: names in mixed case and a schema of its own, a domain with a
-- check, composite keys, a cycle between people and doctors, hash partitions, a rule and a trigger
-- that forbid deletion, a column that refers nowhere, and values of types that are easily lost.
CREATE SCHEMA "Care";
SET search_path = "Care";
CREATE DOMAIN "Mail" AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE mood AS ENUM ('ok', 'so "so"');
CREATE TYPE pair AS (amount numeric, currency char(3));
CREATE TABLE nations (iso3 char(3) PRIMARY KEY, label text);
CREATE TABLE "Patients" (
  id uuid PRIMARY KEY, "E-Mail" "Mail" UNIQUE NOT NULL, full_name text NOT NULL,
  nation char(3) NOT NULL REFERENCES nations, birth date,
  guardian uuid REFERENCES "Patients" DEFERRABLE INITIALLY DEFERRED, main_doctor int,
  prefs jsonb DEFAULT '{}', last_ip inet, seen timestamptz DEFAULT 'infinity', balance pair);
CREATE TABLE doctors (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, nation char(3) REFERENCES nations,
  favourite uuid REFERENCES "Patients" ON DELETE SET NULL);
ALTER TABLE "Patients" ADD FOREIGN KEY (main_doctor) REFERENCES doctors;
CREATE TABLE visits (
  clinic int, no bigint, patient uuid NOT NULL REFERENCES "Patients" ON DELETE RESTRICT,
  doctor int REFERENCES doctors, during tstzrange NOT NULL, notes text, tags text[],
  search tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(notes, ''))) STORED,
  PRIMARY KEY (clinic, no), EXCLUDE USING gist (during WITH &&) WHERE (clinic = 99));
CREATE TABLE scans (
  clinic int, visit bigint, n smallint, image bytea, dose numeric(40, 20),
  PRIMARY KEY (clinic, visit, n),
  FOREIGN KEY (clinic, visit) REFERENCES visits ON UPDATE CASCADE);
CREATE TABLE bills (
  no bigserial, patient uuid REFERENCES "Patients", amount numeric, at date NOT NULL,
  PRIMARY KEY (no, at)) PARTITION BY HASH (no);
CREATE TABLE bills_0 PARTITION OF bills FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE bills_1 PARTITION OF bills FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE events (patient uuid, what mood, payload json, at timestamp);
CREATE TABLE letters (
  id bigint PRIMARY KEY, thread bigint REFERENCES letters, patient uuid REFERENCES "Patients",
  txt text);
CREATE UNLOGGED TABLE sessions (
  token text PRIMARY KEY, patient uuid REFERENCES "Patients" ON DELETE CASCADE);
CREATE MATERIALIZED VIEW per_nation AS SELECT nation, count(*) FROM "Patients" GROUP BY 1;
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'no deleting of %', OLD.id; END $$;
CREATE TRIGGER never BEFORE DELETE ON "Patients" FOR EACH ROW EXECUTE FUNCTION never();
CREATE RULE never AS ON DELETE TO letters DO INSTEAD NOTHING;

SELECT setseed(0.3);
CREATE FUNCTION p(n bigint) RETURNS uuid LANGUAGE sql AS $$ SELECT md5('p' || n)::uuid $$;
INSERT INTO nations VALUES ('USA', 'United States'), ('NLD', 'Netherlands'), ('BRA', 'Brasil'),
  ('XXX', 'Unknown');
INSERT INTO doctors (name, nation)
  SELECT 'Dr ' || g, (ARRAY['USA', 'NLD', 'BRA'])[1 + g % 3] FROM generate_series(1, 20) g;
INSERT INTO "Patients" (id, "E-Mail", full_name, nation, birth, main_doctor, prefs, last_ip, balance)
  SELECT p(g), 'pat' || g || '@mail.example', 'Patient ' || g,
    (ARRAY['USA', 'NLD', 'BRA', 'XXX'])[1 + (random() * 3)::int],
    date '1950-01-01' + (random() * 25000)::int, 1 + g % 20, jsonb_build_object('friend', p(g + 1)),
    ('10.0.' || g % 250 || '.7')::inet, ROW(random() * 100, 'EUR')::pair
  FROM generate_series(1, 200) g;
UPDATE "Patients" SET guardian = p(1 + (random() * 199)::int) WHERE birth > '2008-01-01';
UPDATE doctors SET favourite = p(id * 7);
INSERT INTO visits
  SELECT 1 + g % 5, g, p(1 + (random() * 199)::int), 1 + g % 20,
    tstzrange(timestamptz '2020-01-01' + g * interval '1 hour', NULL), 'note ' || g,
    ARRAY['a', NULL, 'b"c']
  FROM generate_series(1, 800) g;
INSERT INTO scans SELECT clinic, no, n, decode(md5(no::text), 'hex'), random() * 1e10
  FROM visits, generate_series(1, 2) n;
INSERT INTO bills (patient, amount, at)
  SELECT CASE WHEN g % 50 > 0 THEN p(1 + (random() * 199)::int) END, 'NaN', date '2021-01-01' + g
  FROM generate_series(1, 300) g;
INSERT INTO events SELECT p(1 + g % 200), 'so "so"', json_build_object('n', g), now()
  FROM generate_series(1, 300) g;
INSERT INTO letters
  SELECT g, CASE WHEN g % 4 = 0 THEN g - 1 END, p(1 + (random() * 199)::int), 'letter ' || g
  FROM generate_series(1, 400) g;
INSERT INTO sessions SELECT md5('s' || g), p(g) FROM generate_series(1, 50) g;
DROP FUNCTION p;
REFRESH MATERIALIZED VIEW per_nation;
