const PATHS = {
  phone:
    "M6.6 3.5 9 3l2 4.6-2 1.6a12 12 0 0 0 5.8 5.8l1.6-2 4.6 2-.5 2.4A3 3 0 0 1 17.600 20 14 14 0 0 1 4 6.400a3 3 0 0 1 2.600-2.900Z",
  hangup:
    "M3 14.500c0-4 4.500-6 9-6s9 2 9 6l-.6 2.500-4.700-.9-.2-2.700a12 12 0 0 0-7 0l-.2 2.700-4.700.9Z",
  mic: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3Zm-6 8a6 6 0 0 0 12 0m-6 6v4",
  "mic-off":
    "M9 6a3 3 0 0 1 6 0v5m-1.500 2.600A3 3 0 0 1 9 11V9m-3 2a6 6 0 0 0 9.500 4.900M18 11a6 6 0 0 1-.4 2.100M12 17v4M4 4l16 16",
};

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
