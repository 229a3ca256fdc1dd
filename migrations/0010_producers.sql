ALTER TABLE `api_keys` ADD `producers` text;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `lineage` text;--> statement-breakpoint
ALTER TABLE `counters` ADD `owner` text;