-- A small estate with everything that makes a move hard. Made for the fault tests.
CREATE TABLE country (code text PRIMARY KEY, name text NOT NULL);
CREATE TABLE address (
  address_id bigint PRIMARY KEY, street text NOT NULL,
  code text NOT NULL REFERENCES country);
CREATE TABLE account (
  account_id bigint PRIMARY KEY, email text NOT NULL UNIQUE, born date,
  address_id bigint NOT NULL REFERENCES address,
  invited_by bigint REFERENCES account ON DELETE SET NULL,
  touched integer NOT NULL DEFAULT 0);
CREATE TABLE family (
  parent_id bigint REFERENCES account ON DELETE CASCADE,
  child_id bigint REFERENCES account ON DELETE CASCADE, PRIMARY KEY (parent_id, child_id));
CREATE TABLE playlist (
  playlist_id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
  title text NOT NULL, letters integer GENERATED ALWAYS AS (length(title)) STORED);
CREATE TABLE track (
  playlist_id bigint REFERENCES playlist ON DELETE CASCADE, place integer,
  title text NOT NULL, PRIMARY KEY (playlist_id, place));
CREATE TABLE mood (
  mood_id bigint PRIMARY KEY, playlist_id bigint NOT NULL, place integer NOT NULL, word text,
  FOREIGN KEY (playlist_id, place) REFERENCES track ON DELETE CASCADE);
CREATE TABLE video (
  video_id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
  title text, views integer NOT NULL DEFAULT 0, CHECK (views >= 0));
CREATE TABLE comment (
  comment_id bigint PRIMARY KEY, video_id bigint NOT NULL REFERENCES video ON DELETE CASCADE,
  account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
  reply_to bigint REFERENCES comment ON DELETE CASCADE, body text NOT NULL);
CREATE TABLE message (
  message_id bigint PRIMARY KEY, from_id bigint NOT NULL REFERENCES account,
  to_id bigint REFERENCES account ON DELETE SET NULL, answers bigint REFERENCES message,
  body text NOT NULL, place integer);
CREATE TABLE watch (
  account_id bigint REFERENCES account ON DELETE CASCADE, clip text, seconds integer NOT NULL,
  month integer NOT NULL) PARTITION BY RANGE (month);
CREATE TABLE watch_early PARTITION OF watch FOR VALUES FROM (1) TO (7);
CREATE TABLE watch_late PARTITION OF watch FOR VALUES FROM (7) TO (13);
CREATE TABLE journal (account_id bigint REFERENCES account ON DELETE CASCADE, word text);
CREATE TABLE audit (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
CREATE INDEX ON address (code);
CREATE INDEX ON comment (video_id);
CREATE FUNCTION noticed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.audit (what) VALUES (TG_TABLE_NAME || ' ' || TG_OP); RETURN NULL; END $$;
CREATE FUNCTION rewritten() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.title := upper(NEW.title); RETURN NEW; END $$;
CREATE TRIGGER playlist_title BEFORE INSERT OR UPDATE ON playlist
  FOR EACH ROW EXECUTE FUNCTION rewritten();
CREATE TRIGGER account_seen AFTER INSERT OR UPDATE OR DELETE ON account
  FOR EACH ROW EXECUTE FUNCTION noticed();
CREATE TRIGGER video_seen AFTER DELETE ON video FOR EACH ROW EXECUTE FUNCTION noticed();
