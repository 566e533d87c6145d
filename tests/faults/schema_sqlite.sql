-- The same estate in SQLite: tables with and without a rowid that is their key, triggers, cascades.
CREATE TABLE country (code text PRIMARY KEY NOT NULL, name text NOT NULL);
CREATE TABLE address (
  address_id INTEGER PRIMARY KEY, street text NOT NULL,
  code text NOT NULL REFERENCES country);
CREATE TABLE account (
  account_id INTEGER PRIMARY KEY, email text NOT NULL UNIQUE, born date,
  address_id bigint NOT NULL REFERENCES address,
  invited_by bigint REFERENCES account ON DELETE SET NULL,
  touched integer NOT NULL DEFAULT 0);
CREATE TABLE family (
  parent_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
  child_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
  PRIMARY KEY (parent_id, child_id)) WITHOUT ROWID;
CREATE TABLE playlist (
  playlist_id bigint PRIMARY KEY NOT NULL,
  account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
  title text NOT NULL, letters integer GENERATED ALWAYS AS (length(title)) STORED);
CREATE TABLE track (
  playlist_id bigint NOT NULL REFERENCES playlist ON DELETE CASCADE, place integer NOT NULL,
  title text NOT NULL, PRIMARY KEY (playlist_id, place));
CREATE TABLE mood (
  mood_id INTEGER PRIMARY KEY AUTOINCREMENT, playlist_id bigint NOT NULL, place integer NOT NULL,
  word text, FOREIGN KEY (playlist_id, place) REFERENCES track ON DELETE CASCADE);
CREATE TABLE video (
  video_id INTEGER PRIMARY KEY, account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
  title text, views integer NOT NULL DEFAULT 0, CHECK (views >= 0));
CREATE TABLE comment (
  comment_id INTEGER PRIMARY KEY, video_id bigint NOT NULL REFERENCES video ON DELETE CASCADE,
  account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
  reply_to bigint REFERENCES comment ON DELETE CASCADE, body text NOT NULL);
CREATE TABLE message (
  message_id INTEGER PRIMARY KEY, from_id bigint NOT NULL REFERENCES account,
  to_id bigint REFERENCES account ON DELETE SET NULL, answers bigint REFERENCES message,
  body text NOT NULL, place integer);
CREATE TABLE watch (
  account_id bigint REFERENCES account ON DELETE CASCADE, clip text, seconds integer NOT NULL,
  month integer NOT NULL);
CREATE TABLE journal (account_id bigint REFERENCES account ON DELETE CASCADE, word text);
CREATE TABLE audit (n INTEGER PRIMARY KEY, what text);
CREATE TRIGGER account_changed AFTER UPDATE ON account
  BEGIN INSERT INTO audit (what) VALUES ('account UPDATE'); END;
CREATE TRIGGER account_gone AFTER DELETE ON account
  BEGIN INSERT INTO audit (what) VALUES ('account DELETE'); END;
CREATE TRIGGER video_gone AFTER DELETE ON video
  BEGIN INSERT INTO audit (what) VALUES ('video DELETE'); END;
