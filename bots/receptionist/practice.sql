CREATE TABLE IF NOT EXISTS hours (
    weekday INTEGER PRIMARY KEY,  -- 0 is Monday; a day without a row is closed
    opens TEXT NOT NULL,
    closes TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS treatments (
    name TEXT PRIMARY KEY,
    dollars INTEGER NOT NULL,
    keywords TEXT NOT NULL  -- separated by commas; the beginning of a word counts
);
CREATE TABLE IF NOT EXISTS slots (
    day TEXT NOT NULL,   -- 2026-01-31
    time TEXT NOT NULL,  -- 09:30
    patient TEXT,        -- NULL is free
    PRIMARY KEY (day, time)
);
INSERT OR IGNORE INTO hours VALUES
    (0, '09:00', '18:00'), (1, '09:00', '18:00'), (2, '09:00', '18:00'), (3, '09:00', '18:00'),
    (4, '09:00', '14:00');
INSERT OR IGNORE INTO treatments VALUES
    ('check-up', 60, 'check,exam,inspect'),
    ('cleaning', 85, 'clean,hygien,polish,scal'),
    ('filling', 120, 'fill,cavit'),
    ('x-ray', 40, 'x-ray,x ray,xray,radiograph'),
    ('whitening', 250, 'whiten,bleach'),
    ('extraction', 150, 'extract,remov,pull,wisdom'),
    ('crown', 700, 'crown,cap'),
    ('root canal', 650, 'root,canal'),
    ('emergency visit', 95, 'emergenc,urgent,toothache,pain');
