-- After the first migration: a right on a view can be given only when the view is there.
GRANT SELECT ON @DATABASE_NAME@.dovecot_users TO 'xynap_dovecot'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON @DATABASE_NAME@.mailbox_usage TO 'xynap_dovecot'@'%';
GRANT SELECT ON @DATABASE_NAME@.postfix_domains TO 'xynap_postfix'@'%';
GRANT SELECT ON @DATABASE_NAME@.postfix_mailboxes TO 'xynap_postfix'@'%';
GRANT SELECT ON @DATABASE_NAME@.postfix_aliases TO 'xynap_postfix'@'%';
GRANT SELECT ON @DATABASE_NAME@.postfix_senders TO 'xynap_postfix'@'%';
GRANT SELECT ON @DATABASE_NAME@.postfix_suspended TO 'xynap_postfix'@'%';
GRANT SELECT ON @DATABASE_NAME@.postfix_ended TO 'xynap_postfix'@'%';
GRANT SELECT ON @DATABASE_NAME@.postfix_domain_aliases TO 'xynap_postfix'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON @DATABASE_NAME@.mailbox_logins TO 'xynap_dovecot'@'%';
