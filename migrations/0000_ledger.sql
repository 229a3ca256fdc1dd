-- Tables whose rows are small and found by their primary key are WITHOUT ROWID: one row written, not two.
-- drizzle-kit cannot say so; the clause was added by hand.
CREATE TABLE `api_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`hash` text NOT NULL,
	`tenant` text NOT NULL,
	`name` text NOT NULL,
	`permissions` text NOT NULL,
	`platform_ids` text,
	`entity_ids` text,
	`org_ids` text,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	`revoked_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_keys_hash` ON `api_keys` (`hash`);--> statement-breakpoint
CREATE INDEX `api_keys_tenant` ON `api_keys` (`tenant`,`id`);--> statement-breakpoint
CREATE TABLE `attempts` (
	`shipment` integer NOT NULL,
	`attempt` integer NOT NULL,
	`at` integer NOT NULL,
	`duration_ms` integer NOT NULL,
	`status` integer,
	`verdict` text NOT NULL,
	`message` text,
	PRIMARY KEY(`shipment`, `attempt`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `batches` (
	`id` integer PRIMARY KEY NOT NULL,
	`nonce` text NOT NULL,
	`tenant` text NOT NULL,
	`stream` text NOT NULL,
	`producer` text,
	`first` integer,
	`last` integer,
	`context` text NOT NULL,
	`idempotency_key` text,
	`own_id_field` text,
	`replay_of` integer,
	`received_at` integer NOT NULL,
	`times` text,
	`entries` blob NOT NULL,
	`payload` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `batches_position` ON `batches` (`tenant`,`stream`,`producer`,`first`) WHERE first IS NOT NULL;--> statement-breakpoint
CREATE INDEX `batches_stream` ON `batches` (`tenant`,`stream`);--> statement-breakpoint
CREATE TABLE `catalogs` (
	`tenant` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`document` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `corrections` (
	`batch` integer NOT NULL,
	`entry` integer NOT NULL,
	`hash` blob NOT NULL,
	PRIMARY KEY(`batch`, `entry`, `hash`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `counters` (
	`tenant` text NOT NULL,
	`stream` text NOT NULL,
	`producer` text NOT NULL,
	`accepted` integer DEFAULT 0 NOT NULL,
	`duplicates` integer DEFAULT 0 NOT NULL,
	`conflicts` integer DEFAULT 0 NOT NULL,
	`delivered` integer DEFAULT 0 NOT NULL,
	`quarantined` integer DEFAULT 0 NOT NULL,
	`discarded` integer DEFAULT 0 NOT NULL,
	`digest0` integer DEFAULT 0 NOT NULL,
	`digest1` integer DEFAULT 0 NOT NULL,
	`digest2` integer DEFAULT 0 NOT NULL,
	`digest3` integer DEFAULT 0 NOT NULL,
	`positions0` integer DEFAULT 0 NOT NULL,
	`positions1` integer DEFAULT 0 NOT NULL,
	`positions2` integer DEFAULT 0 NOT NULL,
	`positions3` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`tenant`, `stream`, `producer`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `day_totals` (
	`tenant` text NOT NULL,
	`subject` text NOT NULL,
	`day` integer NOT NULL,
	`series` text NOT NULL,
	`sum` text NOT NULL,
	`least` text NOT NULL,
	`greatest` text NOT NULL,
	`count` integer NOT NULL,
	`distinct_values` text,
	PRIMARY KEY(`tenant`, `subject`, `day`, `series`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `dirty_days` (
	`tenant` text NOT NULL,
	`subject` text NOT NULL,
	`day` integer NOT NULL,
	PRIMARY KEY(`tenant`, `subject`, `day`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `fact_runs` (
	`batch` integer NOT NULL,
	`first` integer NOT NULL,
	`last` integer NOT NULL,
	`tenant` text NOT NULL,
	PRIMARY KEY(`batch`, `first`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `facts` (
	`tenant` text NOT NULL,
	`id` integer NOT NULL,
	`subject` text NOT NULL,
	`at` integer NOT NULL,
	`entry` integer NOT NULL,
	`context` text NOT NULL,
	`quantities` text NOT NULL,
	`void` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`tenant`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `facts_subject` ON `facts` (`tenant`,`subject`,`at`);--> statement-breakpoint
CREATE TABLE `holds` (
	`scope` text PRIMARY KEY NOT NULL,
	`until` integer NOT NULL,
	`reason` text NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `keys` (
	`key` blob PRIMARY KEY NOT NULL,
	`batch` integer NOT NULL,
	`entry` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `outbox` (
	`tenant` text NOT NULL,
	`stream` text NOT NULL,
	`batch` integer NOT NULL,
	`context` text NOT NULL,
	`entries` integer NOT NULL,
	`events` integer NOT NULL,
	`bytes` integer NOT NULL,
	PRIMARY KEY(`tenant`, `stream`, `batch`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `quarantine` (
	`id` integer PRIMARY KEY NOT NULL,
	`tenant` text NOT NULL,
	`stream` text NOT NULL,
	`producer` text NOT NULL,
	`batch` integer NOT NULL,
	`entry` integer NOT NULL,
	`event_id` text NOT NULL,
	`event` text NOT NULL,
	`context` text NOT NULL,
	`reasons` text NOT NULL,
	`upstream` text,
	`created_at` integer NOT NULL,
	`state` text NOT NULL,
	`settled_at` integer,
	`note` text,
	`replay_batch` integer
);
--> statement-breakpoint
CREATE INDEX `quarantine_tenant` ON `quarantine` (`tenant`,`state`,`id`);--> statement-breakpoint
CREATE INDEX `quarantine_batch` ON `quarantine` (`batch`,`entry`);--> statement-breakpoint
CREATE TABLE `ranges` (
	`tenant` text NOT NULL,
	`stream` text NOT NULL,
	`producer` text NOT NULL,
	`first` integer NOT NULL,
	`last` integer NOT NULL,
	PRIMARY KEY(`tenant`, `stream`, `producer`, `first`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `reprocess_groups` (
	`tenant` text NOT NULL,
	`reprocess_id` text NOT NULL,
	`accepted` integer NOT NULL,
	`settled` integer DEFAULT 0 NOT NULL,
	`closed` integer NOT NULL,
	PRIMARY KEY(`tenant`, `reprocess_id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `shipment_parts` (
	`batch` integer NOT NULL,
	`shipment` integer NOT NULL,
	PRIMARY KEY(`batch`, `shipment`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `shipments` (
	`id` integer PRIMARY KEY NOT NULL,
	`tenant` text NOT NULL,
	`stream` text NOT NULL,
	`context` text NOT NULL,
	`call_key` text NOT NULL,
	`parts` text NOT NULL,
	`events` integer NOT NULL,
	`reprocess_id` text,
	`closes` integer DEFAULT 0 NOT NULL,
	`state` text NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`in_flight` integer DEFAULT 0 NOT NULL,
	`outcome_unknown` integer DEFAULT 0 NOT NULL,
	`lease_until` integer DEFAULT 0 NOT NULL,
	`next_at` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `shipments_open` ON `shipments` (`tenant`,`stream`,`id`) WHERE state = 'open';--> statement-breakpoint
CREATE TABLE `usage_progress` (
	`tenant` text PRIMARY KEY NOT NULL,
	`folded` integer NOT NULL,
	`epoch` integer NOT NULL,
	`nonce` text NOT NULL
) WITHOUT ROWID;
