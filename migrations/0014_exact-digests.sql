ALTER TABLE `counters` ADD `digest_high` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `counters` ADD `digest_low` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `counters` ADD `digested` integer DEFAULT 0 NOT NULL;