CREATE TABLE `usage_contexts` (
	`tenant` text NOT NULL,
	`hash` text NOT NULL,
	`context` text NOT NULL,
	PRIMARY KEY(`tenant`, `hash`)
);
--> statement-breakpoint
ALTER TABLE `usage_progress` ADD `failures` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_progress` ADD `aside_until` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_progress` ADD `failure` text;--> statement-breakpoint
CREATE INDEX `usage_progress_failures` ON `usage_progress` (`failures`);