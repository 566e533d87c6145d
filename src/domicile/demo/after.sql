-- What is quicker to make after the rows are in.

CREATE INDEX ON account (address_id);
CREATE INDEX ON family (child_id);
CREATE INDEX ON device (account_id);
CREATE INDEX ON video (account_id);
CREATE INDEX ON comment (video_id);
CREATE INDEX ON comment (account_id);
CREATE INDEX ON comment (reply_to);
CREATE INDEX ON video_like (video_id);
CREATE INDEX ON follow (followed_id);
CREATE INDEX ON message (sender_id);
CREATE INDEX ON message (recipient_id);
CREATE INDEX ON watch (account_id);
CREATE INDEX ON watch (video_id);

CREATE TRIGGER count_comments AFTER INSERT OR DELETE ON comment
    FOR EACH ROW EXECUTE FUNCTION count_comments();
