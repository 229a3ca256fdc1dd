CREATE TABLE `destinations` (
	`name` text PRIMARY KEY NOT NULL,
	`dialect` text NOT NULL,
	`base_url` text NOT NULL,
	`ingest_path` text,
	`token_url` text,
	`client_id` text,
	`client_secret` text,
	`api_key` text,
	`bytes_max` integer,
	`events_max` integer,
	`calls_per_minute` integer,
	`revision` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `tenants` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text,
	`zuora` text,
	`solvimon` text,
	`allowed` text NOT NULL
);

--> statement-breakpoint
-- A key without a list of platforms could name any; from now on it can name none.
UPDATE `api_keys` SET `platform_ids` = '["*"]' WHERE `platform_ids` IS NULL;
